"""What a command settles before its libraries are imported: nearly all that a short command costs is importing them."""

import importlib
import os
from types import MappingProxyType
from typing import Any, Final

from blindmatch.node.storage import gc_pause

SETTINGS: Final = MappingProxyType(
    {
        # numpy's linear algebra would start a thread per processor, each with its buffer: nothing here multiplies matrices.
        "OPENBLAS_NUM_THREADS": "1",
        # pydantic would search every installed distribution for plugins; none shall have a say in reading settings.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
)
"""Environment variables that libraries read while they are imported. What an operator has set stands."""


def settle() -> None:
    """Put `SETTINGS` into this process's environment."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


class LazyModule:
    """A module that is imported when the first of its names is used.

    For type checkers the plain import stands beside it, under `TYPE_CHECKING`.
    """

    def __init__(self, name: str) -> None:
        self.__name = name

    def __repr__(self) -> str:
        return f"Later({self.__name})"

    def __getattr__(self, name: str) -> Any:
        with gc_pause.pause():
            module = importlib.import_module(self.__name)
        return getattr(module, name)
