"""One agency asks, another answers, and there is a bad line between them, in memory: what every comparison's harness is made of.

Each side keeps its stored checkpoint apart from its running session, checkpoints before it sends, and can be made
to crash at any point: after a call and before the checkpoint, or after the checkpoint and before the send. Its workspace
outlives the crash, with everything that was written after the checkpoint. The line loses, repeats, delays and
reorders; like a node, who asks asks for one thing at a time, and asks again when no answer comes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.transcript import Signed

_STEPS = 10_000
"""More questions and answers than any comparison of a test takes: what still goes on then goes on for ever."""


class CheckpointedSession(Protocol):
    """What a `Side` needs of a session."""

    def snapshot(self) -> bytes:
        """The checkpoint."""


Session = TypeVar("Session", bound=CheckpointedSession)
Caller = TypeVar("Caller", bound=CheckpointedSession)
Called = TypeVar("Called", bound=CheckpointedSession)
Value = TypeVar("Value")


class CrashError(Exception):
    """A side stopped at this point; all that is left is its checkpoint and its workspace."""


class Side(Generic[Session]):
    """One node: a session, its stored checkpoint, and a countdown to a crash."""

    def __init__(self, make: Callable[[bytes | None], Session]) -> None:
        self._make: Callable[[bytes | None], Session] = make
        self.session: Session = make(None)
        self.stored: bytes | None = None
        self.crash_in: int | None = None
        self.points = 0

    def run(self, call: Callable[[Session], Value], keep: Callable[[Value], None] | None = None) -> Value:
        """Call the session, keep what is to be kept, then checkpoint; only then may the caller send what came out."""
        value = call(self.session)
        self._point()
        if keep is not None:
            keep(value)
            self._point()
        self.stored = self.session.snapshot()
        self._point()
        return value

    def restart(self) -> None:
        """Come back after a crash, from the checkpoint alone."""
        self.crash_in = None
        self.session = self._make(self.stored)

    def _point(self) -> None:
        self.points += 1
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                raise CrashError


@dataclass(frozen=True)
class Message:
    """Something on the line: whose, what kind, its number, its content, and whether its side had checkpointed before.

    `about` is the third party that a message which is carried for others concerns.
    """

    sender: str
    kind: str
    index: int
    body: Any = field(repr=False)
    checkpointed: bool
    about: str = ""

    def content(self) -> bytes:
        """Its bytes, for comparison."""
        return _content(self.body)


def _content(body: Any) -> bytes:
    match body:
        case Signed():
            return body.payload + body.signature
        case CommittedChunks():
            return _content(body.statement) + body.digests
        case bytes():
            return body
        case list() | tuple():
            return b"".join(_content(each) for each in body)
        case int() | None:
            return str(body).encode()
        case _:
            rows = body.rows if hasattr(body, "rows") else body.points
            return bytes(rows.tobytes()) + getattr(body, "proof", b"")


class LossyChannel(ABC, Generic[Caller, Called]):
    """Both sides and what is on its way between them. `step` is a quiet moment; tests call the parts one by one on a bad day."""

    closing: ClassVar[frozenset[str]]
    """Kinds of messages that disclose nothing: they sign for what has been disclosed, whoever has withdrawn."""
    answered: ClassVar[frozenset[str]]
    """States in which the caller has been told everything, or works alone: it needs no agreement to go on."""

    def __init__(self, caller: Side[Caller], called: Side[Called], names: tuple[str, str]) -> None:
        self.caller = caller
        self.called = called
        self.names = names
        self.requests: list[Message] = []
        self.replies: list[Message] = []
        self.sent: list[Message] = []

    def step(self) -> None:
        """One piece of the caller's own work, or one request and its answer."""
        self.caller_step()
        for line, deliver in ((self.requests, self.deliver_request), (self.replies, self.deliver_reply)):
            for _ in range(len(line)):
                deliver(0)

    def caller_step(self) -> None:
        """One piece of the caller's own work, or one request for what it needs next."""
        self._guard(self.caller, self._work)

    def called_step(self) -> None:
        """One piece of the other side's own work, ahead of any request."""

    def deliver_request(self, position: int) -> None:
        """Let the called side handle one of the requests on the line, whichever."""
        request = self.requests.pop(position)
        self._guard(self.called, lambda: self._handle(request))

    def deliver_reply(self, position: int) -> None:
        """Let the caller take one of the replies on the line, whichever."""
        reply = self.replies.pop(position)
        self._guard(self.caller, lambda: self._take(reply))

    def _guard(self, side: Side[Session], work: Callable[[], None]) -> None:
        try:
            work()
        except CrashError:
            side.restart()

    def _ask(self, kind: str, index: int, body: Any, about: str = "") -> None:
        self._put(self.requests, Message(self.names[0], kind, index, body, _saved(self.caller), about))

    def _answer(self, kind: str, index: int, body: Any, about: str = "") -> None:
        self._put(self.replies, Message(self.names[1], kind, index, body, _saved(self.called), about))

    def _put(self, line: list[Message], message: Message) -> None:
        self.sent.append(message)
        line.append(message)

    @abstractmethod
    def _work(self) -> None:
        """See `caller_step`."""

    @abstractmethod
    def _handle(self, request: Message) -> None:
        """What the called side does with a request."""

    @abstractmethod
    def _take(self, reply: Message) -> None:
        """What the caller does with a reply."""


def _saved(side: Side[Session]) -> bool:
    return side.stored == side.session.snapshot()


def drive(lines: Sequence[LossyChannel[Any, Any]], over: Callable[[], bool]) -> None:
    """Quiet days on all of these lines until it is over; who crashes comes back.

    Raises:
        AssertionError: it does not come to an end, or a session failed.
        PeerError: what a side said to be wrong.
    """
    for line in islice(cycle(lines), _STEPS):
        if over():
            return
        if "failed" in {side.session.state.value for side in (line.caller, line.called)}:
            raise AssertionError("a side failed")
        line.step()
    raise AssertionError("this comparison does not come to an end")
