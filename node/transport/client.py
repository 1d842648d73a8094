"""Calls to another agency's node: mutual TLS, a deadline on every call, one kind of error.

The server's certificate must carry the agency's DNS name, be issued by a trusted authority, not be revoked, and have the key
that the agreement names; the plain handshake before the first call checks the last two, and reports why TLS failed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from blindmatch.node.pki import tls

# isort: split
# gRPC reads its list of TLS suites when it is imported, so `tls` must be imported first.
import grpc

from blindmatch.node.node import Node
from blindmatch.node.pki.certificates import CertificateInfo
from blindmatch.node.storage.config import dns_name
from blindmatch.node.transport.error_status import error_from_status
from blindmatch.node.transport.message_recorder import UNREADABLE, Direction, WatchedChannel, WireRecorder
from blindmatch.proto.v1 import (
    agreement_pb2_grpc,
    match_pb2_grpc,
    number_pb2_grpc,
    standing_pb2_grpc,
    threshold_pb2_grpc,
)
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS, Limits

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
Result = TypeVar("Result")
_END: Any = vars(grpc.aio)["EOF"]  # its stubs forget this name


@dataclass
class Traffic:
    """Bytes of messages over one channel, without gRPC's framing."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class Peer:
    """An open channel to one agency's node. Times are in seconds."""

    agency: str
    agreements: agreement_pb2_grpc.AgreementsStub
    match: match_pb2_grpc.MatchStub
    number: number_pb2_grpc.NumberStub
    reports: number_pb2_grpc.ReportsStub
    thresholds: threshold_pb2_grpc.ThresholdsStub
    standing: standing_pb2_grpc.StandingRoundsStub
    call_seconds: float
    traffic: Traffic

    async def call(
        self, method: Callable[..., Awaitable[Any]], request: Any, *, seconds: float | None = None
    ) -> Any:
        """One unary call, such as `peer.call(peer.match.Close, request)`.

        Raises:
            PeerError: the peer refused, or gRPC reported a failure.
        """
        with self.errors():
            answer = await method(request, timeout=seconds or self.call_seconds)
            if answer is None:  # the call ended well and without its one message
                raise PeerError(PeerCode.UNAVAILABLE, f"{self.agency} gave no answer")
            return self._read_well(answer)

    async def next(self, stream: Any) -> Any:
        """The next message of a stream, within the time limit for one call.

        Raises:
            PeerError: UNAVAILABLE, when none comes or the stream ends early.
        """
        message = await self._read(stream)
        if message is _END:
            raise PeerError(PeerCode.UNAVAILABLE, f"{self.agency} ended the answer early")
        return message

    async def end(self, stream: Any) -> None:
        """Wait for a stream's orderly end.

        Raises:
            PeerError: BAD_SEQUENCE, when something follows.
        """
        if await self._read(stream) is not _END:
            raise PeerError(PeerCode.BAD_SEQUENCE, f"{self.agency} sent more than was asked for")

    async def _read(self, stream: Any) -> Any:
        try:
            async with asyncio.timeout(self.call_seconds):
                return self._read_well(await stream.read())
        except TimeoutError:
            raise PeerError(
                PeerCode.UNAVAILABLE, f"{self.agency} sent nothing for {self.call_seconds:.0f} seconds"
            ) from None

    def _read_well(self, message: Any) -> Any:
        if message is UNREADABLE:
            raise PeerError(
                PeerCode.BAD_MESSAGE, f"{self.agency} sent a message that is truncated or malformed"
            )
        return message

    @contextmanager
    def errors(self) -> Iterator[None]:
        """A context in which gRPC's errors become `PeerError`."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            metadata: Any = error.trailing_metadata() or ()
            trailing = dict(metadata)
            raise error_from_status(self.agency, error.code(), error.details(), trailing) from None
        except (grpc.aio.UsageError, asyncio.InvalidStateError):
            raise PeerError(PeerCode.UNAVAILABLE, f"{self.agency} broke the call off") from None


@asynccontextmanager
async def connect(
    node: Node, agency: str, *, certificate_key: bytes | None = None, limits: Limits = LIMITS
) -> AsyncIterator[Peer]:
    """Open a channel to `agency`'s node at the address in the settings; `node.wire` records every message.

    Args:
        node: this node.
        agency: the agency whose node must answer; TLS checks it.
        certificate_key: SHA-256 of the SubjectPublicKeyInfo that the agreement names, 32 bytes.
        limits: bounds on messages.

    Raises:
        ConfigError: no address is known for the agency, or our own certificate is not usable.
        PeerError: UNAVAILABLE or WRONG_CERTIFICATE.
    """
    settings, now = node.settings, node.clock()
    credentials = tls.load(node.home, settings, node.keys, now=now)
    entry = settings.peer(agency)
    name = entry.server_name or dns_name(agency)
    certificate = await asyncio.to_thread(tls.handshake, entry.address, name, credentials)
    _check(certificate, agency, certificate_key)
    tls.check_certificate(certificate, revoked=credentials.revoked, now=now)
    wire: WireRecorder | None = node.wire
    traffic = Traffic()

    def seen(direction: Direction, method: str, kind: str, message: bytes) -> None:
        if direction == "sent":
            traffic.sent += len(message)
        else:
            traffic.received += len(message)
        if wire is not None:
            wire.record(direction, agency, method, kind, message)

    options = (
        ("grpc.ssl_target_name_override", name),
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    )
    channel = grpc.aio.secure_channel(entry.address, tls.channel_credentials(credentials), options)
    try:
        watched: Any = WatchedChannel(channel, seen)
        yield Peer(
            agency,
            agreement_pb2_grpc.AgreementsStub(watched),  # type: ignore[no-untyped-call]
            match_pb2_grpc.MatchStub(watched),  # type: ignore[no-untyped-call]
            number_pb2_grpc.NumberStub(watched),  # type: ignore[no-untyped-call]
            number_pb2_grpc.ReportsStub(watched),  # type: ignore[no-untyped-call]
            threshold_pb2_grpc.ThresholdsStub(watched),  # type: ignore[no-untyped-call]
            standing_pb2_grpc.StandingRoundsStub(watched),  # type: ignore[no-untyped-call]
            settings.service.call_seconds,
            traffic,
        )
    finally:
        await channel.close(None)


def connector(node: Node) -> Callable[[str, bytes | None], AbstractAsyncContextManager[Peer]]:
    """How to reach other nodes as this one: called with an agency and the certificate key to insist on, if any."""

    def channel(agency: str, key: bytes | None) -> AbstractAsyncContextManager[Peer]:
        return connect(node, agency, certificate_key=key)

    return channel


def _check(certificate: CertificateInfo, agency: str, certificate_key: bytes | None) -> None:
    if certificate.agency != agency:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"the node that should be {agency} shows a certificate of {certificate.agency}",
            hint="Check the address under `peers` in node.toml.",
        )
    if certificate_key is not None and certificate.certificate_key != certificate_key:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"{agency} shows another certificate key than the agreement names",
            hint="After a change of keys, draft and sign the agreement again.",
        )


async def patiently(
    attempt: Callable[[], Awaitable[Result]],
    *,
    wait_seconds: float,
    progress: Callable[[], object] = lambda: None,
    waiting: Callable[[PeerError], None] | None = None,
) -> Result:
    """Repeat an attempt while the peer is unavailable and time remains.

    Pauses double from 0.2 to 5 seconds. The last failure is raised.

    Args:
        attempt: must be safe to repeat.
        wait_seconds: the longest time without progress; 0 means one attempt.
        progress: returns a different value whenever an attempt has got further than those before it.
        waiting: called with each failure after which the attempt is repeated.
    """
    loop = asyncio.get_running_loop()
    deadline, pause, reached = loop.time() + wait_seconds, _FIRST_WAIT, progress()
    while True:
        try:
            return await attempt()
        except PeerError as error:
            if wait_seconds and progress() != reached:
                deadline, pause, reached = loop.time() + wait_seconds, _FIRST_WAIT, progress()
            left = deadline - loop.time()
            if error.code is not PeerCode.UNAVAILABLE or left <= 0:
                raise
            if waiting is not None:
                with suppress(Exception):
                    waiting(error)
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_WAIT)
