"""Counts and sums as they are stored, shown, exported and reported, each with the statements that prove it."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import edge_context
from blindmatch.node.storage.store import AggregateRow, EdgeRow
from blindmatch.protocol.aggregate import (
    NO_PROOF,
    REPORT_TYPE,
    AggregateOutcome,
    AggregateReport,
    AggregateTerms,
    Band,
)
from blindmatch.protocol.aggregate.elgamal import Opening, check_opening
from blindmatch.protocol.agreement import Aggregate, Agreement, Disclosure, Edge, Sum
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError
from blindmatch.protocol.transcript import Signed, sign


@dataclass(frozen=True)
class AggregateResult:
    """The number of one edge of one round. It says how many or how much, never who."""

    round: str
    """Hexadecimal digits."""
    edge: str
    receiver: str
    sender: str
    disclosure: str
    kind: str
    """What was counted, or over what was added: `subjects`, `suppliers`, ..."""
    told: bool
    low: int
    high: int
    total: int
    """In units of the band."""
    proof: str
    closed_at: int
    minimum_count: int
    band: int
    value: str
    decimals: int
    outcome: tuple[str, str] = field(repr=False)
    """The sender's signed outcome: payload and signature, in hexadecimal digits."""

    @property
    def words(self) -> str:
        """For an officer."""
        if not self.told:
            return f"withheld: fewer than {self.minimum_count:,}"
        if self.disclosure == Disclosure.SUM.value:
            return f"{self.amount} over an unknown number of {self.kind}"
        if self.low == self.high:
            return f"{self.low:,}"
        return f"between {self.low:,} and {self.high:,}"

    @property
    def amount(self) -> str:
        """A disclosed sum, with its decimals; empty otherwise."""
        if not self.told or self.disclosure != Disclosure.SUM.value:
            return ""
        whole, rest = divmod(self.total * self.band, 10**self.decimals)
        return f"{whole:,}" + (f".{rest:0{self.decimals}d}" if self.decimals else "")

    @property
    def signed_outcome(self) -> Signed:
        """The sender's statement."""
        return Signed(bytes.fromhex(self.outcome[0]), bytes.fromhex(self.outcome[1]))

    def data(self) -> dict[str, Any]:
        """As plain values, for programs."""
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("round", "edge", "receiver", "sender", "disclosure", "kind", "told", "minimum_count")
        }
        if self.told and self.disclosure == Disclosure.COUNT.value:
            values |= {"low": self.low, "high": self.high}
        if amount := self.amount:
            values |= {"value": self.value, "sum": amount.replace(",", "")}
        return {**values, "words": self.words}

    def to_json(self) -> bytes:
        """For the store."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "AggregateResult":
        """Read what `to_json` wrote.

        Raises:
            StoreError: it is something else.
        """
        try:
            content: dict[str, Any] = json.loads(payload)
            return cls(**content | {"outcome": tuple(content["outcome"])})
        except (ValueError, TypeError, KeyError):
            raise StoreError("a stored number is damaged", hint="Run the round again.") from None


def keep(
    node: Node, row: EdgeRow, agreement: Agreement, number: Band | Opening | None, outcome: Signed
) -> AggregateResult:
    """Store the number that a round disclosed to this node, its receiver."""
    opening = number if isinstance(number, Opening) else Opening(0, NO_PROOF)
    band = Band(0, 0) if isinstance(number, Opening) else number
    report = AggregateReport(
        AggregateReport.digest_of(outcome), opening.total, opening.proof, int(node.clock())
    )
    result = _result(agreement.edge(row.edge), row.round_id, band, report, outcome)
    _put(node, row.agreement_id, agreement, row.round_id, result)
    return result


def _result(
    edge: Edge, round_id: bytes, band: Band | None, report: AggregateReport, outcome: Signed
) -> AggregateResult:
    terms = Aggregate.of(edge)
    counted = edge.receiver if edge.disclosure is Disclosure.COUNT else edge.sender
    return AggregateResult(
        round=round_id.hex(),
        edge=edge.id,
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=edge.disclosure.value,
        kind=counted.collection_kind,
        told=band is not None,
        low=band.low if band else 0,
        high=band.high if band else 0,
        total=report.total,
        proof=report.proof.hex(),
        closed_at=report.closed_at,
        minimum_count=terms.minimum_count,
        band=terms.band,
        value=terms.subject,
        decimals=terms.decimals if isinstance(terms, Sum) else 0,
        outcome=(outcome.payload.hex(), outcome.signature.hex()),
    )


def _put(
    node: Node, agreement_id: bytes, agreement: Agreement, round_id: bytes, result: AggregateResult
) -> None:
    expires = int(node.clock()) + agreement.retention_days * 86_400
    node.store.put_number(AggregateRow(round_id, result.edge, agreement_id, result.to_json(), expires))


def load(node: Node, round_id: bytes, edge: str | None = None) -> list[AggregateResult]:
    """The numbers of a round that have not expired."""
    results = [AggregateResult.from_json(row.payload) for row in node.store.numbers(round_id=round_id)]
    return [each for each in results if edge in (None, each.edge)]


def words(node: Node, round_id: bytes, edge: str) -> str:
    """An edge's count or sum in words; empty where there is none."""
    return "".join(each.words for each in load(node, round_id, edge))


def report(node: Node, agreement: Agreement, row: AggregateRow) -> tuple[Signed, Signed]:
    """The sender's outcome, and our report of it."""
    result = AggregateResult.from_json(row.payload)
    outcome = result.signed_outcome
    context = edge_context(row.agreement_id, agreement.edge(row.edge), row.round_id)
    statement = AggregateReport(
        AggregateReport.digest_of(outcome), result.total, bytes.fromhex(result.proof), result.closed_at
    )
    return outcome, sign(node.keys.identity, REPORT_TYPE, statement.payload(context))


def take_report(
    node: Node,
    held: StoredAgreement,
    where: tuple[bytes, str],
    outcome: Signed,
    reported: Signed,
) -> AggregateResult:
    """Verify another agency's report and store it: the sender signed the number, and the receiver did not alter it.

    Args:
        node: this node, to which the edge reports.
        held: the agreement.
        where: round and edge.
        outcome: the sender's statement.
        reported: the receiver's.

    Raises:
        PeerError: a signature or a proof does not verify; BAD_OUTCOME for a sum that is not the outcome's.
    """
    (round_id, name), agreement = where, held.agreement
    edge = agreement.edge(name)
    context, number = edge_context(held.id, edge, round_id), AggregateTerms.of(edge)
    sender, receiver = (agreement.party(side.agency) for side in (edge.sender, edge.receiver))
    statement = AggregateOutcome.check(
        outcome, sender.identity_key, context, number, most=edge.receiver.max_records
    )
    report = AggregateReport.check(reported, receiver.identity_key, context, outcome)
    if edge.disclosure is Disclosure.SUM and statement.disclosed:
        if report.total >= number.most_total:
            raise PeerError(PeerCode.BAD_OUTCOME, "the reported sum is beyond the agreement's limit")
        check_opening(Opening(report.total, report.proof), statement.left, statement.right, statement.share)
    elif report.total or report.proof != NO_PROOF:
        raise PeerError(PeerCode.BAD_OUTCOME, "a sum was reported where there is none")
    result = _result(edge, round_id, statement.band if statement.disclosed else None, report, outcome)
    _put(node, held.id, agreement, round_id, result)
    return result


def to_csv(results: Sequence[AggregateResult]) -> str:
    """One line per number."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["edge", "receiver", "sender", "disclosure", "told", "low", "high", "value", "sum", "words"]
    )
    for each in results:
        data = each.data()
        cells = (data.get(name, "") for name in ("low", "high", "value", "sum"))
        writer.writerow(
            [each.edge, each.receiver, each.sender, each.disclosure, each.told, *cells, each.words]
        )
    return out.getvalue()
