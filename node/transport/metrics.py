"""A node's metrics for Prometheus. Served only when the settings enable it.

Every value is a count or a time that both sides know already: none depends on which records matched.
"""

from functools import partial
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from blindmatch.node.storage.config import split_address
from blindmatch.protocol.errors import ConfigError

_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0)


class Metrics:
    """One node's measurements, in a registry of their own: several nodes may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self.calls = counter("blindmatch_calls", "gRPC calls answered", ["method", "code"])
        self.call_seconds = Histogram(
            "blindmatch_call_seconds",
            "Time to answer a gRPC call",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.received_bytes = counter("blindmatch_received_bytes", "Bytes of messages received", ["method"])
        self.sent_bytes = counter("blindmatch_sent_bytes", "Bytes of messages sent", ["method"])
        self.refusals = counter("blindmatch_refusals", "Calls refused, by code", ["code"])
        self.elements = counter("blindmatch_elements", "Elements processed, by step", ["step"])
        self.rounds = gauge("blindmatch_open_edges", "Edges of rounds that are open now")
        self.healthy = gauge("blindmatch_healthy", "1 while the node can serve")


class MetricsListener:
    """Serves one `Metrics` over plain HTTP, as a context manager.

    Raises:
        ConfigError: the address is taken, or not this machine's.
    """

    def __init__(self, metrics: Metrics, address: str) -> None:
        host, port = split_address(address)
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=metrics.registry)
        except OSError as error:
            raise ConfigError(f"metrics cannot listen on {address}: {error.strerror}") from error

    @property
    def port(self) -> int:
        """The port that it got."""
        return int(self._server.server_port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
