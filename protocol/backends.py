"""Registries of interchangeable implementations: at the first call, the fastest backend that loads is selected."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

Backend = TypeVar("Backend")


class BackendRegistry(Generic[Backend]):
    """The backends of one package, loaded on demand, and the backend in use.

    Args:
        what: the package's name, for messages.
        loaders: functions that load a backend, by name, fastest first. A loader raises ImportError if its backend cannot run on
            this machine.
        prepare: called once with each backend after it is loaded.
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
        """The backends that are loaded, by name."""

    def current(self) -> Backend:
        """The backend in use. The first call selects it, and loads no others.

        Raises:
            StopIteration: no backend loads.
        """
        if self._chosen is None:
            self._chosen = self._load(next(filter(self._loads, self._loaders)))
        return self._chosen

    def available(self) -> tuple[str, ...]:
        """The names of the backends that load on this machine, fastest first. Loads all of them."""
        return tuple(filter(self._loads, self._loaders))

    def use(self, name: str) -> None:
        """Switch to a backend by name.

        Raises:
            ValueError: there is no backend of this name.
            ImportError: the backend does not load.
        """
        if name not in self._loaders:
            raise ValueError(
                f"no {self._what} backend is named {name!r}; the backends are {', '.join(self._loaders)}"
            )
        self._chosen = self._load(name)

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Use a backend within a `with` block; for tests and benchmarks, and not thread-safe."""
        before = self._chosen
        self.use(name)
        try:
            yield
        finally:
            self._chosen = before

    def _load(self, name: str) -> Backend:
        if name not in self.loaded:
            backend = self._loaders[name]()
            self._prepare(backend)
            self.loaded[name] = backend
        return self.loaded[name]

    def _loads(self, name: str) -> bool:
        try:
            self._load(name)
        except ImportError:
            return False
        return True
