"""Settings and lazy imports: importing libraries is nearly the whole cost of a short command."""

import importlib
import os
from types import MappingProxyType
from typing import Any, Final

from blindmatch.node.storage import gc_pause

SETTINGS: Final = MappingProxyType(
    {
        # numpy's linear algebra would start a thread per processor, each with a buffer; nothing here multiplies matrices.
        "OPENBLAS_NUM_THREADS": "1",
        # pydantic would load plugins from every installed distribution; none may affect how settings are read.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
)
"""Environment variables that libraries read at import. A value that the operator has set takes precedence."""


def settle() -> None:
    """Add `SETTINGS` to this process's environment."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def no_core_files() -> None:
    """Prevent core files: this process holds keys, and a crash must not write its memory to a disk."""
    try:
        import resource  # noqa: PLC0415 - not available on Windows
    except ImportError:
        return
    _, highest = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte, not 0: Linux then sends the memory to no program that collects core dumps either (core(5)).
    limit = 1 if highest == resource.RLIM_INFINITY or highest >= 1 else 0
    resource.setrlimit(resource.RLIMIT_CORE, (limit, highest))


class LazyModule:
    """A module that is imported when one of its names is first used.

    Type checkers see the plain import, which is beside it under `TYPE_CHECKING`.
    """

    def __init__(self, name: str) -> None:
        self.__name = name

    def __repr__(self) -> str:
        return f"LazyModule({self.__name})"

    def __getattr__(self, name: str) -> Any:
        with gc_pause.pause():
            module = importlib.import_module(self.__name)
        return getattr(module, name)
