"""How a round and its edges ended, as the runner reports it."""

from dataclasses import dataclass

from blindmatch.node import circle, numbers
from blindmatch.node.agreements import book
from blindmatch.node.convert.status import RefusalError
from blindmatch.node.home import Node
from blindmatch.node.preparation import context_of
from blindmatch.node.results import tally
from blindmatch.node.store import CLOSED, FAILED, EdgeRow
from blindmatch.protocol.errors import BlindmatchError, LocalError, PeerError
from blindmatch.protocol.match import ReceiptTerms
from blindmatch.protocol.threshold import ReceiptTerms as CircleReceipt
from blindmatch.protocol.threshold import Role as Circle


@dataclass(frozen=True)
class EdgeOutcome:
    """How one edge ended this time."""

    edge: str
    peer: str
    state: str
    """`closed`, `failed`, or the state from which it can be resumed."""
    leads: int = 0
    number: str = ""
    """What a count, a sum or a threshold says, in words."""
    keys: int = 0
    """Match keys that both sides compiled; 0 before."""
    expected_true: float = 0.0
    """Leads to expect by the model, under the agreed overlap; 0 for a schema that lists its keys."""
    expected_false: float = 0.0
    receiver_records: int = 0
    sender_records: int = 0
    receiver_elements: int = 0
    sender_elements: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
    code: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class RoundOutcome:
    """How a round ended this time."""

    round_id: bytes
    agreement_id: bytes
    edges: tuple[EdgeOutcome, ...]

    @property
    def complete(self) -> bool:
        """Every edge is closed."""
        return all(edge.state == CLOSED for edge in self.edges)

    @property
    def resumable(self) -> bool:
        """Some edge can go on."""
        return any(edge.state not in {CLOSED, FAILED} for edge in self.edges)

    @property
    def leads(self) -> int:
        """Leads over all edges."""
        return sum(edge.leads for edge in self.edges)

    @property
    def numbers(self) -> int:
        """Edges that told a number, or that there is too little to tell."""
        return sum(bool(edge.number) for edge in self.edges)


def ended(node: Node, row: EdgeRow) -> EdgeOutcome:
    """An edge that ended earlier, as its receipt and the store tell."""
    ours = theirs = 0
    if row.receipt and row.role == Circle.COLLECTOR.value:
        circle_context = circle.context_of(book.find(node, row.agreement_id).agreement, row)
        theirs = sum(CircleReceipt.parse(row.receipt, circle_context).elements)
    elif row.receipt:
        context = context_of(book.find(node, row.agreement_id).agreement, row)
        said = ReceiptTerms.parse(row.receipt, context)
        ours, theirs = said.receiver_elements, said.sender_elements
    return EdgeOutcome(
        row.edge,
        row.peer,
        row.state,
        leads=len(node.store.leads(row.round_id, row.edge)),
        number=words_of(node, row),
        receiver_elements=ours,
        sender_elements=theirs,
        code=row.code,
        reason=row.reason,
    )


def words_of(node: Node, row: EdgeRow) -> str:
    """What a count, a sum or a threshold says in numbers; empty where there is none."""
    if row.role == Circle.COLLECTOR.value:
        told = tally(node, row.round_id, row.edge)
        return told.words if told else ""
    return "".join(each.words for each in numbers.load(node, row.round_id, row.edge))


def outcome_of(
    edge: str, peer: str, state: str, error: BlindmatchError | None, **figures: float | str
) -> EdgeOutcome:
    """How an edge stands, with the error that stopped it, if one did."""
    code, reason, hint = "", "", ""
    if error is not None:
        if isinstance(error, RefusalError):
            code = error.reason.value
        elif isinstance(error, PeerError):
            code = error.code.value
        else:
            code = "agreement" if not isinstance(error, LocalError) else "local"
        reason, hint = error.message, error.hint
    return EdgeOutcome(edge, peer, state, code=code, reason=reason, hint=hint, **figures)  # type: ignore[arg-type] # counts
