"""Counts and sums: stored, shown, exported and reported, each with the statements that prove it."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import edge_context
from blindmatch.node.rounds.rows import retained_until
from blindmatch.node.storage.store import AggregateRow, EdgeRow
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.elgamal import Opening, check_opening
from blindmatch.protocol.aggregate.statements import NO_PROOF, REPORT_TYPE, AggregateOutcome, AggregateReport
from blindmatch.protocol.agreement import Aggregate, Agreement, Disclosure, Edge, Sum
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError
from blindmatch.protocol.transcript import Signed, sign

_COLUMNS = ("edge", "receiver", "sender", "disclosure", "told", "low", "high", "value", "sum", "words")
"""Of the CSV export: names of `AggregateResult.data`."""


@dataclass(frozen=True)
class AggregateResult:
    """The count or sum of one edge of one round. It identifies no record."""

    round: str
    """Hexadecimal digits."""
    edge: str
    receiver: str
    sender: str
    disclosure: str
    kind: str
    """The kind of the records that were counted or whose values were added: `subjects`, `suppliers`, ..."""
    told: bool
    """False: withheld, because it is below the minimum."""
    low: int
    high: int
    total: int
    """In units of the band."""
    proof: str
    """Hexadecimal digits; of a sum."""
    closed_at: int
    """Seconds since 1970."""
    minimum_count: int
    band: int
    value: str
    """The fact that was added; empty for a count."""
    decimals: int
    outcome: tuple[str, str] = field(repr=False)
    """The sender's signed outcome: payload and signature, in hexadecimal digits."""

    @property
    def text(self) -> str:
        """One line for officers."""
        if not self.told:
            return f"withheld: fewer than {self.minimum_count:,}"
        if self.disclosure == Disclosure.SUM.value:
            return f"{self.amount} over an unknown number of {self.kind}"
        if self.low == self.high:
            return f"{self.low:,}"
        return f"between {self.low:,} and {self.high:,}"

    @property
    def amount(self) -> str:
        """A disclosed sum with its decimals; empty otherwise."""
        if not self.told or self.disclosure != Disclosure.SUM.value:
            return ""
        whole, rest = divmod(self.total * self.band, 10**self.decimals)
        return f"{whole:,}" + (f".{rest:0{self.decimals}d}" if self.decimals else "")

    @property
    def signed_outcome(self) -> Signed:
        """The sender's statement."""
        return Signed(bytes.fromhex(self.outcome[0]), bytes.fromhex(self.outcome[1]))

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("round", "edge", "receiver", "sender", "disclosure", "kind", "told", "minimum_count")
        }
        if self.told and self.disclosure == Disclosure.COUNT.value:
            values |= {"low": self.low, "high": self.high}
        if amount := self.amount:
            values |= {"value": self.value, "sum": amount.replace(",", "")}
        return {**values, "words": self.text}

    def to_json(self) -> bytes:
        """The stored form."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "AggregateResult":
        """Read the output of `to_json`.

        Raises:
            StoreError: the payload is damaged.
        """
        try:
            content: dict[str, Any] = json.loads(payload)
            return cls(**content | {"outcome": tuple(content["outcome"])})
        except (ValueError, TypeError, KeyError):
            raise StoreError("a stored number is damaged", hint="Run the round again.") from None


def store(
    node: Node, row: EdgeRow, agreement: Agreement, number: Band | Opening | None, outcome: Signed
) -> None:
    """Store the result of a round at its receiver, this node.

    Args:
        node: this node.
        row: the edge.
        agreement: its agreement.
        number: a count's band, a sum's opening, or None for a withheld result.
        outcome: the sender's signed statement.
    """
    opening = number if isinstance(number, Opening) else Opening(0, NO_PROOF)
    band = Band(0, 0) if isinstance(number, Opening) else number
    report = AggregateReport(
        AggregateReport.digest_of(outcome), opening.total, opening.proof, int(node.clock())
    )
    _put(
        node,
        row.agreement_id,
        agreement,
        _result(agreement.edge(row.edge), row.round_id, band, report, outcome),
    )


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


def _put(node: Node, agreement_id: bytes, agreement: Agreement, result: AggregateResult) -> None:
    round_id, expires = bytes.fromhex(result.round), retained_until(node, agreement)
    node.store.put_number(AggregateRow(round_id, result.edge, agreement_id, result.to_json(), expires))


def load(node: Node, round_id: bytes, edge: str | None = None) -> list[AggregateResult]:
    """The counts and sums of a round, or of one edge of it, that have not expired.

    Raises:
        StoreError: a stored number is damaged.
    """
    results = [AggregateResult.from_json(row.payload) for row in node.store.numbers(round_id=round_id)]
    return [result for result in results if edge in (None, result.edge)]


def text_of(node: Node, round_id: bytes, edge: str) -> str:
    """The count or sum of an edge in one line; empty where there is none. Raises as `load`."""
    return "".join(result.text for result in load(node, round_id, edge))


def signed_report(node: Node, agreement: Agreement, row: AggregateRow) -> tuple[Signed, Signed]:
    """The sender's outcome, and our signed report of it.

    Raises:
        StoreError: the stored number is damaged.
    """
    result = AggregateResult.from_json(row.payload)
    outcome = result.signed_outcome
    context = edge_context(row.agreement_id, agreement.edge(row.edge), row.round_id)
    report = AggregateReport(
        AggregateReport.digest_of(outcome), result.total, bytes.fromhex(result.proof), result.closed_at
    )
    return outcome, sign(node.keys.identity, REPORT_TYPE, report.payload(context))


def store_report(
    node: Node, stored: StoredAgreement, comparison: tuple[bytes, str], outcome: Signed, signed: Signed
) -> AggregateResult:
    """Verify another agency's report and store it: the sender signed the number, and the receiver did not alter it.

    Args:
        node: this node, to which the edge reports.
        stored: the agreement.
        comparison: round id and edge id.
        outcome: the sender's statement.
        signed: the receiver's report.

    Raises:
        PeerError: a signature or a proof does not verify; BAD_OUTCOME for a sum other than the outcome's.
    """
    (round_id, name), agreement = comparison, stored.agreement
    edge = agreement.edge(name)
    context, terms = edge_context(stored.id, edge, round_id), AggregateTerms.of(edge)
    sender, receiver = (agreement.party(side.agency) for side in (edge.sender, edge.receiver))
    stated = AggregateOutcome.check(
        outcome, sender.identity_key, context, terms, most=edge.receiver.max_records
    )
    report = AggregateReport.check(signed, receiver.identity_key, context, outcome)
    if edge.disclosure is Disclosure.SUM and stated.disclosed:
        if report.total >= terms.most_total:
            raise PeerError(PeerCode.BAD_OUTCOME, "the reported sum is beyond the agreement's limit")
        check_opening(Opening(report.total, report.proof), stated.left, stated.right, stated.share)
    elif report.total or report.proof != NO_PROOF:
        raise PeerError(PeerCode.BAD_OUTCOME, "the report has a sum, and the outcome has none")
    result = _result(edge, round_id, stated.band if stated.disclosed else None, report, outcome)
    _put(node, stored.id, agreement, result)
    return result


def to_csv(results: Sequence[AggregateResult]) -> str:
    """One line per count or sum, below a heading."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for result in results:
        data = result.data()
        writer.writerow([data.get(name, "") for name in _COLUMNS])
    return out.getvalue()
