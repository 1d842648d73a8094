"""Several parties under one agreement, in memory: a line for each edge, signatures and withdrawals that spread, crashes of whole nodes.

What a node decides by the agreement is decided here by the same code: whether every party has signed the same bytes,
whether somebody has withdrawn. A node that knows of a withdrawal discloses nothing more; receipts are still signed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blindmatch.protocol.agreement import (
    Agreement,
    Envelope,
    SignedWithdrawal,
    Withdrawal,
    check_signatures,
    check_usable,
    read_withdrawal,
    sign,
    sign_withdrawal,
)
from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.match import State
from blindmatch.protocol.match.messages import EdgeContext
from blindmatch.simulations.agencies import Agency
from blindmatch.simulations.network import Edge, Message, Network

RECEIPTS = frozenset({"close", "signature"})
"""Messages that disclose nothing: they close what has been disclosed."""


@dataclass
class Party:
    """One node's knowledge of the agreement: the signatures it has seen, and who has withdrawn."""

    agency: Agency
    agreement: Agreement
    envelope: Envelope
    withdrawn: dict[str, Withdrawal] = field(default_factory=dict)

    def sign(self) -> None:
        """Sign the bytes that it holds."""
        signature = sign(self.envelope.payload, self.agency.signer)
        self.envelope = self.envelope.with_signatures({self.agency.id: signature})

    def take(self, envelope: Envelope) -> None:
        """Take in another party's copy. PeerError: its bytes or a signature are not right."""
        check_signatures(self.agreement, envelope)
        self.envelope = self.envelope.with_signatures(envelope.signatures)

    def withdraw(self, now: int) -> SignedWithdrawal:
        """Take part no longer."""
        signed = sign_withdrawal(
            Withdrawal(self.envelope.id, self.agency.id, now, "no longer needed"), self.agency.signer
        )
        self.hear(signed)
        return signed

    def hear(self, signed: SignedWithdrawal) -> None:
        """Take in a withdrawal. PeerError: it is not what it says."""
        self.withdrawn[signed.agency] = read_withdrawal(signed, self.agreement)

    def may(self, now: int) -> bool:
        """Whether a round may start, or go on, as far as this party knows."""
        try:
            check_usable(
                self.agreement, self.envelope, now=now, rounds_used=0, withdrawn=tuple(self.withdrawn)
            )
        except PeerError:
            return False
        return True


@dataclass
class Line:
    """One edge: its network, and what each side brings."""

    edge: Edge
    network: Network
    receiver_values: Sequence[int]
    sender_values: Sequence[int]
    broken: bool = False
    """A side refused what came: its session has failed for good."""

    @property
    def context(self) -> EdgeContext:
        """The edge."""
        return self.edge.context

    @property
    def between(self) -> tuple[str, str]:
        """Receiver and sender."""
        return self.context.receiver, self.context.sender

    @property
    def expected(self) -> list[int]:
        """The receiver's elements that the sender holds too."""
        theirs = set(self.sender_values)
        return [index for index, value in enumerate(self.receiver_values) if value in theirs]

    @property
    def over(self) -> bool:
        """Closed on the receiver's side, or failed on either."""
        return self.broken or self.network.closed


class Gathering:
    """All parties and all lines. Edges are independent: nothing here lets one wait for another."""

    def __init__(
        self,
        agencies: Sequence[Agency],
        agreement: Agreement,
        payload: Envelope,
        lists: Mapping[str, Sequence[int]],
        *,
        now: int,
        chunk_elements: int,
    ) -> None:
        self.now = now
        self.agreement = agreement
        self.parties = {agency.id: Party(agency, agreement, payload) for agency in agencies}
        self.lines = [
            self._line(place, lists, chunk_elements, payload.id) for place in range(len(agreement.edges))
        ]

    def _line(
        self, place: int, lists: Mapping[str, Sequence[int]], chunk_elements: int, agreement_id: bytes
    ) -> Line:
        terms = self.agreement.edges[place]
        receiver, sender = terms.receiver.agency, terms.sender.agency
        plain = Edge.of(lists[receiver], sorted(set(lists[sender])), chunk_elements=chunk_elements)
        context = replace(
            plain.context,
            agreement=agreement_id,
            round_id=receiver.encode().ljust(16, b"-")[:16],
            edge=terms.id,
            receiver=receiver,
            sender=sender,
        )
        edge = replace(
            plain,
            context=context,
            receiver_seed=f"receiver {place}".encode().ljust(32, b"."),
            sender_seed=f"sender {place}".encode().ljust(32, b"."),
            receiver_key=self.parties[receiver].agency.signer,
            sender_key=self.parties[sender].agency.signer,
        )
        return Line(edge, edge.connect(), lists[receiver], lists[sender])

    def receiver_works(self, line: Line) -> None:
        """One step of the receiver, if it still may take one."""
        if line.broken:
            return
        state = line.network.receiver.session.state
        answered = state in {State.COLLECTED, State.MATCHED, State.SIGNED}
        if answered or self.parties[line.between[0]].may(self.now):
            # What came is looked at when it is used: that, too, may be where a session fails.
            self._guarded(line, line.network.receiver_step)

    def sender_works(self, line: Line) -> None:
        """One step of the sender's own preparation: it has begun only when it was asked to."""
        if line.network.sender.session.state is not State.PREPARING:
            line.network.sender_step()

    def request_arrives(self, line: Line, place: int) -> bool:
        """Let the sender answer a request; False when it refuses, by the agreement."""
        request = line.network.requests[place]
        if request.kind not in RECEIPTS and not self.parties[line.between[1]].may(self.now):
            line.network.requests.pop(place)
            return False
        self._guarded(line, lambda: line.network.deliver_request(place))
        return True

    def reply_arrives(self, line: Line, place: int) -> None:
        """Let the receiver take a reply."""
        self._guarded(line, lambda: line.network.deliver_reply(place))

    def crash(self, agency: str) -> None:
        """A whole node dies and comes back: every session of its starts from its checkpoint."""
        for line in self.lines:
            if line.broken:
                continue
            receiver, sender = line.between
            if receiver == agency:
                line.network.receiver.restart()
            if sender == agency:
                line.network.sender.restart()

    def _guarded(self, line: Line, step: Callable[[], None]) -> None:
        try:
            step()
        except PeerError:
            # Nobody listens on a line whose session has failed.
            line.broken = True
            line.network.requests.clear()
            line.network.replies.clear()


def sent_by(line: Line, message: Message) -> str:
    """Which party sent a message."""
    receiver, sender = line.between
    return receiver if message.kind in {"open", "evaluate", "tags", "close"} else sender
