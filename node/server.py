"""The node's server: grpc.aio over mutual TLS, every call through the gate, an orderly end.

`serve` runs until a signal; `running` is the same server as a context manager, for programs that hold several nodes.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from blindmatch.node.pki import tls

# isort: split
# gRPC reads its list of TLS suites when it is imported, so `tls` must be imported first.
import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from blindmatch.node.agreements.service import AgreementsService
from blindmatch.node.node import Node
from blindmatch.node.rounds.disclosures import InboundRounds
from blindmatch.node.rounds.retention import purge_expired
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.config import split_address
from blindmatch.node.storage.logs import logger
from blindmatch.node.transport.gate import Gate, GateConfig
from blindmatch.node.transport.health import SERVICES, HealthService
from blindmatch.node.transport.metrics import Metrics, MetricsListener
from blindmatch.node.transport.refusals import Refusal, Refusals
from blindmatch.proto.v1 import agreement_pb2_grpc
from blindmatch.protocol.errors import ConfigError, LocalError
from blindmatch.protocol.limits import LIMITS, Limits

ERASE_SECONDS = 3_600.0
"""How often results past their retention are erased."""

_CALLS_PER_SESSION = 4
_HARD_LIMIT = 4
"""gRPC cuts messages and calls off at this many times our own limits; between the two the gate still sees who it is."""


@dataclass(frozen=True)
class Serving:
    """A running server."""

    port: int
    health: HealthService
    metrics: Metrics
    inbound: InboundRounds
    server: Any = field(repr=False)

    async def stop(self, grace: float = 0.0) -> None:
        """End before the context does: no new calls, and those under way are cut off after `grace` seconds."""
        await self.server.stop(grace)


async def serve(node: Node, *, ready: Callable[[int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then running calls may take `drain_seconds` of the settings to end.

    Args:
        node: open; the caller closes it.
        ready: called once with the port, when the server answers calls.

    Raises:
        LocalError: credentials, port or TLS are not usable; nothing was served.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    try:
        async with running(node) as serving:
            if ready is not None:
                ready(serving.port)
            await stop.wait()
            logger(agency=node.settings.agency).info("stopping")
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


@asynccontextmanager
async def running(
    node: Node,
    *,
    listen: str | None = None,
    limits: Limits = LIMITS,
    grace: float | None = None,
) -> AsyncIterator[Serving]:
    """A server that answers while the context lasts; `node.wire` records every message.

    Args:
        node: open.
        listen: instead of the settings' address; port 0 takes any free one.
        limits: bounds on what is accepted.
        grace: seconds for running calls at the end, instead of the settings' `drain_seconds`.

    Raises:
        LocalError: credentials, port or TLS are not usable.
    """
    settings, metrics = node.settings, Metrics()
    log = logger(agency=settings.agency)
    credentials = tls.load(node.home, settings, node.keys, now=node.clock())
    refusals = Refusals(lambda refusal: _write_refusal(node, refusal), partial(_now, node))
    health = HealthService(node.health, metrics, settings.agency)
    inbound = InboundRounds(node, metrics=metrics, limits=limits)
    gate = Gate(
        GateConfig(
            agency=settings.agency,
            clock=partial(_now, node),
            revoked=_Revocations(node, credentials),
            limits=limits,
            metrics=metrics,
            refusals=refusals,
            calls=settings.service.sessions * _CALLS_PER_SESSION,
            wire=node.wire,
        )
    )
    server = grpc.aio.server(
        interceptors=(gate,),
        options=_options(limits),
        maximum_concurrent_rpcs=settings.service.sessions * _CALLS_PER_SESSION * _HARD_LIMIT,
    )
    _register(server, node, health, inbound)
    address = listen or settings.listen
    with ExitStack() as stack:
        stack.callback(inbound.close)
        if settings.metrics.listen:
            stack.enter_context(MetricsListener(metrics, settings.metrics.listen))
        try:
            port = server.add_secure_port(address, tls.server_credentials(credentials))
        except RuntimeError:
            raise ConfigError(
                f"cannot listen on {address}",
                hint="Is another node serving there? See `listen` in node.toml.",
            ) from None
        await server.start()
        tasks: list[asyncio.Task[None]] = []
        try:
            await _refuse_tls12(address, port)
            await health.refresh()
            tasks = [asyncio.create_task(c) for c in (health.watch(), _housekeeping(node, refusals))]
            log.info("serving", address=address, port=port)
            yield Serving(port, health, metrics, inbound, server)
        finally:
            await health.stop()
            await server.stop(settings.service.drain_seconds if grace is None else grace)
            await gate.settle()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await inbound.stop()
            with suppress(LocalError):
                await refusals.flush(everything=True)
            log.info("stopped")


def _now(node: Node) -> float:
    return node.clock()


def _options(limits: Limits) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes * _HARD_LIMIT),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.so_reuseport", 0),  # two nodes on one port would each get some of the calls
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.max_concurrent_streams", 64),
        ("grpc.max_connection_idle_ms", 600_000),
    ]


def _register(server: Any, node: Node, health: HealthService, inbound: InboundRounds) -> None:
    agreement_pb2_grpc.add_AgreementsServicer_to_server(AgreementsService(node), server)  # type: ignore[no-untyped-call]
    inbound.register(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*(name for name in SERVICES if name), "grpc.health.v1.Health", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)


async def _refuse_tls12(address: str, port: int) -> None:
    """Refuse to serve if the server accepts TLS 1.2, for any reason."""
    host = split_address(address)[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared, nothing is bound
    if await asyncio.to_thread(tls.accepts_tls12, host, port):
        raise LocalError(
            "this process would speak TLS 1.2",
            hint="gRPC was imported before blindmatch: import blindmatch.node.pki.tls first, "
            f"or set GRPC_SSL_CIPHER_SUITES={tls.CIPHERS_BELOW_TLS13} before Python starts.",
        )


class _Revocations:
    """The serial numbers on the revocation list, read again whenever the file changes."""

    def __init__(self, node: Node, credentials: tls.Credentials) -> None:
        self._path = node.home / node.settings.tls.revocation_list
        self._authorities = x509.load_pem_x509_certificates(credentials.authority)
        self._serials = credentials.revoked
        self._seen = self._stamp()

    def __call__(self) -> frozenset[int]:
        stamp = self._stamp()
        if stamp != self._seen:
            # An unreadable list stops every call rather than letting a revoked certificate in.
            self._serials = tls.revoked_serials(self._path, self._authorities)
            self._seen = stamp
        return self._serials

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_size)


def _write_refusal(node: Node, refusal: Refusal) -> None:
    node.audit.append(
        AuditEvent.DISCLOSURE,
        subject=f"call {refusal.method}",
        recipient=refusal.agency,
        detail={
            "action": "refused",
            "code": refusal.code,
            "count": refusal.count,
            "address": refusal.address,
        },
    )


async def _housekeeping(node: Node, refusals: Refusals) -> None:
    """Periodically purge expired data and write the counts of refusals, until cancelled."""
    log = logger(agency=node.settings.agency)
    minutes = 0
    while True:
        try:
            if minutes % int(ERASE_SECONDS // 60) == 0:
                await asyncio.to_thread(purge_expired, node)
            await refusals.flush()
        except LocalError as error:
            log.warning("housekeeping failed", reason=error.message)
        minutes += 1
        await asyncio.sleep(60)
