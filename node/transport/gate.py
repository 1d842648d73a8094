"""The one door of the server: every call passes here before any of its bytes is parsed.

In this order: the method's rule, the caller's certificate, sizes, recording, parsing, the service, and for every
error one code, one log line and one audit entry. A service behind it sees parsed messages of known callers only.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from blindmatch.node.storage.logs import logger
from blindmatch.node.transport import policy
from blindmatch.node.transport.error_status import abort_arguments
from blindmatch.node.transport.identity import Caller, caller
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.node.transport.metrics import Metrics
from blindmatch.node.transport.refusals import Refusals
from blindmatch.protocol.errors import BlindmatchError, PeerCode, PeerError
from blindmatch.protocol.limits import Limits

_END: Any = vars(grpc.aio)["EOF"]  # its stubs forget this name
_LEAST_SHARE, _SHARES = 4, 4
"""One agency may have a quarter of the calls that are answered at once, but always four."""

_NOTHING_CAME = "the call ended before its message arrived"


@dataclass
class GateConfig:
    """What the gate needs to know of its node."""

    agency: str
    clock: Callable[[], float]
    revoked: Callable[[], frozenset[int]]
    limits: Limits
    metrics: Metrics
    refusals: Refusals
    calls: int
    """How many calls may be answered at once."""
    wire: WireRecorder | None = None


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its stubs only
    """A server interceptor that replaces every handler by one guarded stream of bytes.

    On the wire a unary call is a stream of one message, so one shape serves all four kinds; it also lets the caller
    be checked before its first message is read.
    """

    def __init__(self, surroundings: GateConfig) -> None:
        self._around = surroundings
        self._log = logger(agency=surroundings.agency)
        self._active = 0
        self._active_of: Counter[str] = Counter()
        self._noting: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Wait for refusals that are still on their way to the audit log."""
        await asyncio.gather(*self._noting)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Wrap the handler of one call; unlisted methods get one that refuses."""
        method: str = handler_call_details.method
        handler = await continuation(handler_call_details)

        async def guarded(_requests: Any, context: Any) -> None:
            await self._answer(method, handler, context)

        return grpc.stream_stream_rpc_method_handler(guarded)

    async def _answer(self, method: str, handler: Any, context: Any) -> None:
        around = self._around
        listed = method if method in policy.POLICY else "unlisted"
        started = time.monotonic()
        who: Caller | None = None
        call: _Call | None = None
        status = grpc.StatusCode.OK
        self._active += 1
        try:
            # The certificate first: also a refused method's entry says who tried.
            who = caller(context, revoked=around.revoked(), now=around.clock())
            self._active_of[who.agency] += 1
            rule = policy.rule(method, offered=handler is not None)
            self._check_room(who.agency)
            call = _Call(around, method, handler, context, who, idle=rule.idle_seconds)
            await call.run()
        except asyncio.CancelledError:
            status = grpc.StatusCode.CANCELLED
            if call is not None and not call.heard:
                # Cancelled by the caller, or ended by gRPC for its size, before its first message arrived.
                self._note(listed, who, PeerError(PeerCode.BAD_MESSAGE, _NOTHING_CAME), context)
            raise
        except grpc.aio.AbortError:
            status = grpc.StatusCode.ABORTED
            raise
        except Exception as error:  # noqa: BLE001 - no message from a peer may stop the server
            status, details, trailing = abort_arguments(error)
            # In the audit log before the caller hears of it.
            await asyncio.shield(self._note(listed, who, error, context))
            await context.abort(status, details, trailing)
        finally:
            self._active -= 1
            if who is not None:
                self._active_of[who.agency] -= 1
            around.metrics.calls.labels(listed, status.name).inc()
            around.metrics.call_seconds.labels(listed).observe(time.monotonic() - started)

    def _check_room(self, agency: str) -> None:
        if self._active > self._around.calls:
            raise PeerError(PeerCode.UNAVAILABLE, "this node answers as many calls as it can")
        # A caller may read a stream as slowly as it likes, so such calls must not use up the places of others.
        if self._active_of[agency] > max(_LEAST_SHARE, self._around.calls // _SHARES):
            raise PeerError(PeerCode.UNAVAILABLE, "this node answers as many calls of one agency as it can")

    def _note(self, method: str, who: Caller | None, error: Exception, context: Any) -> "asyncio.Task[None]":
        """Count, log, and audit in a task of its own: the call may be cancelled at any moment, its refusal not."""
        agency = who.agency if who else ""
        code = error.code.value if isinstance(error, PeerError) else type(error).__name__
        self._around.metrics.refusals.labels(code).inc()
        if isinstance(error, BlindmatchError):
            self._log.warning("call refused", method=method, caller=agency, code=code, reason=error.message)
        else:
            # The type and the place; the text of an unforeseen error might hold anything.
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else "?"
            self._log.error("call failed", method=method, caller=agency, error=code, place=place)
        task = asyncio.create_task(self._write(agency or "unknown", method, code, str(context.peer())))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)
        return task

    async def _write(self, agency: str, method: str, code: str, address: str) -> None:
        try:
            await self._around.refusals.note(agency, method, code, address=address)
        except BlindmatchError as unwritten:
            self._log.error("the audit log cannot be written", reason=unwritten.message)


class _Call:
    """One call behind the gate: bytes to messages and back, sizes and idle time watched."""

    def __init__(
        self, around: GateConfig, method: str, handler: Any, context: Any, who: Caller, *, idle: float
    ) -> None:
        self._around = around
        self._method = method
        self._handler = handler
        self._context = context
        self._who = who
        self._idle = idle
        self.heard = False
        """Whether a message has arrived."""

    async def run(self) -> None:
        handler, context = self._handler, _CallerContext(self._context, self._who, self._send)
        if handler.request_streaming:
            first: Any = self._requests()
        else:
            first = await self._receive()
            if first is None:
                raise PeerError(PeerCode.BAD_MESSAGE, _NOTHING_CAME)
        if handler.response_streaming:
            serve = handler.stream_stream if handler.request_streaming else handler.unary_stream
            answers = serve(first, context)
            if isinstance(answers, AsyncIterator):
                async for answer in answers:
                    await self._send(answer)
            else:
                await answers  # wrote through its context
            return
        serve = handler.stream_unary if handler.request_streaming else handler.unary_unary
        await self._send(await serve(first, context))

    async def _requests(self) -> AsyncIterator[Message]:
        while (message := await self._receive()) is not None:
            yield message

    async def _receive(self) -> Message | None:
        try:
            async with asyncio.timeout(self._idle):
                data = await self._context.read()
        except TimeoutError:
            raise PeerError(
                PeerCode.UNAVAILABLE, f"no message arrived for {self._idle:.0f} seconds"
            ) from None
        if data is _END:
            return None
        self.heard = True
        self._around.metrics.received_bytes.labels(self._method).inc(len(data))
        if len(data) > self._around.limits.message_bytes:
            raise PeerError(
                PeerCode.OVERSIZE,
                f"a message of {len(data)} bytes; at most {self._around.limits.message_bytes} are allowed",
            )
        try:
            message: Message = self._handler.request_deserializer(data)
        except DecodeError:
            self._record("received", "unreadable", data)
            raise PeerError(PeerCode.BAD_MESSAGE, "the message is truncated or malformed") from None
        self._record("received", message.DESCRIPTOR.full_name, data)
        return message

    async def _send(self, message: Message) -> None:
        data: bytes = self._handler.response_serializer(message)
        self._record("sent", message.DESCRIPTOR.full_name, data)
        self._around.metrics.sent_bytes.labels(self._method).inc(len(data))
        await self._context.write(data)

    def _record(self, direction: Any, kind: str, data: bytes) -> None:
        if self._around.wire is not None:
            self._around.wire.record(direction, self._who.agency, self._method, kind, data)


class _CallerContext:
    """The context that a service receives: the caller is known, and all messages pass the gate."""

    def __init__(self, context: Any, who: Caller, send: Callable[[Message], Awaitable[None]]) -> None:
        self._context = context
        self._send = send
        self.caller = who

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Message) -> None:
        await self._send(message)
