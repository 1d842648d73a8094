"""Which of several implementations of one thing is in use: chosen once, at the first call, the fastest that loads."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

Backend = TypeVar("Backend")


class BackendRegistry(Generic[Backend]):
    """The backends of one thing, loaded when they are asked for, and the one in use.

    Args:
        what: what they do, for messages.
        loaders: by name, fastest first. A loader raises ImportError when its backend cannot work here.
        prepare: called once with each backend that was loaded.
    """

    def __init__(
        self,
        what: str,
        loaders: Mapping[str, Callable[[], Backend]],
        prepare: Callable[[Backend], None] = lambda _backend: None,
    ) -> None:
        self._what = what
        self._loaders = loaders
        self._prepare = prepare
        self._chosen: Backend | None = None
        self.loaded: dict[str, Backend] = {}
        """By name, what was loaded so far."""

    def current(self) -> Backend:
        """The backend in use; the first call chooses, and loads no more than it must."""
        if self._chosen is None:
            self._chosen = self._load(next(filter(self._loads, self._loaders)))
        return self._chosen

    def available(self) -> tuple[str, ...]:
        """Name the backends that load on this machine, fastest first. Loads them all."""
        return tuple(filter(self._loads, self._loaders))

    def use(self, name: str) -> None:
        """Switch to a backend by name; ValueError when there is none of that name, ImportError when it does not load."""
        if name not in self._loaders:
            raise ValueError(
                f"no {self._what} backend is called {name!r}; there are {', '.join(self._loaders)}"
            )
        self._chosen = self._load(name)

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Use a backend for the length of a `with` block; for tests and benchmarks, not for several threads at once."""
        before = self._chosen
        self.use(name)
        try:
            yield
        finally:
            self._chosen = before

    def _load(self, name: str) -> Backend:
        if name not in self.loaded:
            made = self._loaders[name]()
            self._prepare(made)
            self.loaded[name] = made
        return self.loaded[name]

    def _loads(self, name: str) -> bool:
        try:
            self._load(name)
        except ImportError:
            return False
        return True
