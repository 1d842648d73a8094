"""Who does the heavy steps of this node's edges: this machine's own kernels, or the workers of a Ray cluster.

The results are the same bytes either way; `engine` in `node.toml` chooses.
"""

from importlib.util import find_spec
from typing import Protocol

from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import ConfigError
from blindmatch.protocol.hits.computing import Computing, LocalComputing
from blindmatch.protocol.session.messages import EdgeContext

__all__ = ["Engine", "LocalEngine", "check_installed", "describe", "open_engine"]

LANES = 8
"""Chunks prepared side by side, at most. The kernel splits each over all cores again, so more would only take memory."""

_UNBLIND_AHEAD = 4
"""Evaluated chunks that may wait to be unblinded before the next is asked for."""


class Engine(Protocol):
    """Performs the heavy steps. One per process or per round; threads share it."""

    @property
    def threads(self) -> int:
        """Threads that may wait for it at once; 0: as many as there are processors."""

    @property
    def lanes(self) -> int:
        """Chunks to prepare side by side."""

    @property
    def backlog(self) -> int:
        """Evaluated chunks that may wait to be unblinded."""

    def computing(self, seed: bytes, context: EdgeContext) -> Computing:
        """The heavy steps of one edge; a `Computer`. May take seconds: call it in a thread.

        Raises:
            LocalError: the engine cannot be reached.
        """

    def close(self) -> None:
        """Release the engine's resources."""


class LocalEngine:
    """This process's own kernels. See `Engine`."""

    threads = 0
    lanes = LANES
    backlog = _UNBLIND_AHEAD

    def computing(self, seed: bytes, context: EdgeContext) -> Computing:
        return LocalComputing(seed, context)

    def close(self) -> None:
        """Nothing to release."""


def open_engine(settings: Settings) -> Engine:
    """The engine that the settings name. Nothing is connected or started before the first edge needs it.

    Raises:
        ConfigError: it is not installed.
    """
    if settings.engine == "local":
        return LocalEngine()
    check_installed()
    from blindmatch.node.compute.cluster import RayEngine  # noqa: PLC0415 - most nodes do not use it

    return RayEngine(settings.cluster)


def check_installed() -> None:
    """Return when Ray can be imported.

    Raises:
        ConfigError: it is not installed.
    """
    if find_spec("ray") is None:
        raise ConfigError(
            "Ray is not installed here",
            hint="Install it: pip install 'blindmatch[cluster]'; or say engine = \"local\" in node.toml.",
        )


def describe(settings: Settings) -> str:
    """A description of the engine for `node status`, without connecting to anything."""
    if settings.engine == "local":
        return "local"
    where = settings.cluster.address or "started on this machine when it is needed"
    workers = f", {settings.cluster.workers} workers" if settings.cluster.workers else ""
    missing = " - NOT INSTALLED: pip install 'blindmatch[cluster]'" if find_spec("ray") is None else ""
    return f"ray, {where}{workers}{missing}"
