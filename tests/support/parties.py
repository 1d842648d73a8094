"""Several parties under one agreement, in memory: their lines, signatures and withdrawals that spread, crashes of whole nodes.

What a node decides by the agreement is decided here by the same code: whether every party has signed the same bytes,
whether somebody has withdrawn. A node that knows of a withdrawal discloses nothing more; receipts are still signed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tests.support.agencies import Agency
from tests.support.comparisons import Comparison, ComparisonInputs, comparisons

from blindmatch.protocol.agreement import (
    Agreement,
    Envelope,
    SignedWithdrawal,
    Withdrawal,
    check_allowed,
    check_signatures,
    read_withdrawal,
    sign,
    sign_withdrawal,
)
from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.limits import Limits


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
        verify_signatures(self.agreement, envelope)
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
            verify_signatures(self.agreement, self.envelope)
            check_allowed(
                self.agreement, self.envelope, now=now, rounds_used=0, withdrawn=tuple(self.withdrawn)
            )
        except PeerError:
            return False
        return True


@lru_cache(maxsize=4_096)
def verify_signatures(agreement: Agreement, envelope: Envelope) -> None:
    """The product's `check_signatures`, once for the same bytes: every party asks before every step.

    Raises:
        PeerError: a signature is not valid; checked anew each time.
    """
    check_signatures(agreement, envelope)


class AgreementParties:
    """All parties and all their comparisons. These are independent: nothing here lets one wait for another."""

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
        signers = {agency.id: agency.signer for agency in agencies}
        limits = Limits(chunk_elements=chunk_elements, chunk_tag_bytes=4096)
        brought = ComparisonInputs(lists, signers, limits)
        self.comparisons = comparisons(agreement, payload.id, brought)
        self.lines = [(each, line) for each in self.comparisons for line in each.lines]
        """Every line with the comparison that it belongs to."""

    def caller_works(self, place: int) -> None:
        """One step of who asks on a line, if that node still may take one."""
        comparison, line = self.lines[place]
        answered = line.caller.session.state in line.answered
        if not comparison.broken and (answered or self.parties[line.names[0]].may(self.now)):
            # What came is looked at when it is used: that, too, may be where a session fails.
            self._guarded(comparison, line.caller_step)

    def called_works(self, place: int) -> None:
        """One step of the other side's own preparation: it has begun only when it was asked to."""
        comparison, line = self.lines[place]
        if not comparison.broken and line.called.session.state.value != "preparing":
            line.called_step()

    def request_arrives(self, place: int, which: int) -> None:
        """Let a request be answered, unless there is none any more, or the node refuses it by the agreement."""
        comparison, line = self.lines[place]
        if which >= len(line.requests):
            return
        request = line.requests[which]
        if request.kind not in line.closing and not self.parties[line.names[1]].may(self.now):
            line.requests.pop(which)
        else:
            self._guarded(comparison, lambda: line.deliver_request(which))

    def reply_arrives(self, place: int, which: int) -> None:
        """Let who asked take a reply, unless there is none any more."""
        comparison, line = self.lines[place]
        if which < len(line.replies):
            self._guarded(comparison, lambda: line.deliver_reply(which))

    def crash(self, agency: str) -> None:
        """A whole node dies and comes back: every session of its starts from its checkpoint."""
        for comparison in self.comparisons:
            if comparison.broken:
                continue
            for line in comparison.lines:
                for name, side in zip(line.names, (line.caller, line.called), strict=True):
                    if name == agency:
                        side.restart()

    def _guarded(self, comparison: Comparison, step: Callable[[], None]) -> None:
        try:
            step()
        except PeerError:
            # Nobody listens on the lines of a comparison in which a session has failed.
            comparison.broken = True
            for line in comparison.lines:
                line.requests.clear()
                line.replies.clear()
