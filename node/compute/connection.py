"""This process's one connection to a Ray cluster, shared by all engines of the process.

It runs in its own thread. Ray's processes on this machine end with the thread that started them, and Ray replaces the
handler of SIGTERM when it is started from the main thread; a node needs its own handler.
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blindmatch.protocol.errors import ConfigError, LocalError

CLIENT_SCHEME = "ray://"
_OBJECT_STORE_BYTES = 512 << 20
_START_SECONDS = 120.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage statistics are sent
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's setting, at 0, for a cluster of this machine only, which listens on 127.0.0.1."""
_HERE = "127.0.0.1:"


def load_ray() -> Any:
    """The library, with its reports home switched off before it is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own making, about its own imports
        import ray  # noqa: PLC0415 - an extra
        import ray.util.scheduling_strategies  # noqa: PLC0415

    # Through `ray://` every chunk counts as a message that schedules a task; it is meant to be.
    warnings.filterwarnings("ignore", "More than .* of messages have been created", UserWarning, r"ray\.")
    return ray


class _Connection:
    """Started for the first user, and ended after the last."""

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._users = 0
        self._address = ""
        self._reached = ""
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, address: str, workers: int) -> str:
        """Connect, unless this process is connected; the address reached. See `connected`."""
        with self._door:
            if self._users == 0 and not load_ray().is_initialized():
                self._begin(address, workers)
            elif self._thread is not None and address not in ("", self._address, self._reached):
                raise ConfigError(
                    f"this process is connected to the Ray cluster {self._reached} already",
                    hint="The nodes of one process share one cluster.",
                )
            self._users += 1
            return self._reached

    def leave(self) -> None:
        """Let go."""
        with self._door:
            self._users -= 1
            if self._users == 0 and self._thread is not None:
                self._end.set()
                self._thread.join()
                self._thread = None

    def _begin(self, address: str, workers: int) -> None:
        ready, failed = threading.Event(), []
        self._end.clear()

        def live() -> None:
            ray = load_ray()
            try:
                self._reached = _connect(ray, address, workers)
            except Exception as error:  # noqa: BLE001 - Ray raises many kinds; all mean the same here
                failed.append(type(error).__name__)
                return
            finally:
                ready.set()
            self._end.wait()
            ray.shutdown()

        thread = threading.Thread(target=live, name="ray", daemon=True)
        thread.start()
        if not ready.wait(_START_SECONDS) or failed:
            where = f"at {address}" if address else "on this machine"
            raise LocalError(
                f"no Ray cluster can be reached or started {where} ({failed[0] if failed else 'no answer'})",
                hint='See `ray status` there; or say engine = "local" in node.toml. The round can be resumed.',
            )
        self._address, self._thread = address, thread


def _connect(ray: Any, address: str, workers: int) -> str:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "namespace": "blindmatch"}
    with warnings.catch_warnings(), _own_machine(ray, address):
        warnings.simplefilter("ignore")
        if address.startswith(CLIENT_SCHEME):
            ray.init(address=address, **quiet)
            return address
        if address:
            context = ray.init(address=address, **quiet)
            return str(context.address_info["address"])
        context = ray.init(
            address="local",
            num_cpus=workers or os.cpu_count() or 1,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **quiet,
        )
        reached = str(context.address_info["address"])
        if not reached.startswith(_HERE):
            ray.shutdown()
            raise LocalError("a Ray cluster of this machine alone would listen to others")
        return reached


@contextmanager
def _own_machine(ray: Any, address: str) -> Iterator[None]:
    """For a cluster of this machine only: Ray and its processes use 127.0.0.1 as this machine's address."""
    if address and not address.startswith(_HERE):
        yield
        return
    constants = ray._private.ray_constants  # noqa: SLF001 - read from the environment once, when Ray was imported
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    os.environ[_LOOPBACK] = "0"
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
        del os.environ[_LOOPBACK]


_connection = _Connection()


@contextmanager
def connected(address: str = "", workers: int = 0) -> Iterator[str]:
    """This process connected to a cluster while the context lasts; gives its address.

    Args:
        address: `ray://host:port`, `host:port`, or `auto` for one that runs here; empty: start one on this machine, for this
            process alone unless others are told its address, on loopback only.
        workers: processors of a cluster that is started; 0: all.

    Raises:
        LocalError: it cannot be reached or started.
        ConfigError: this process is connected to another one.
    """
    reached = _connection.enter(address, workers)
    try:
        yield reached
    finally:
        _connection.leave()
