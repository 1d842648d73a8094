"""A round's results as one value, and as files: CSV, JSON, FollowTheMoney."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds import forecast, leads
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.rounds.forecast import RoundForecast
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.node.rounds.threshold import tally
from blindmatch.node.rounds.threshold.tally import Tally
from blindmatch.node.storage.store import EdgeRow

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet reads a cell that starts with one of these as a formula, and facts come from another agency."""

_RECEIVING = frozenset({"receiver", "member", "collector"})
"""Roles that obtain results from a round."""


@dataclass(frozen=True)
class EdgeResults:
    """One edge or threshold of a round: its state, and what the model expected of it."""

    edge: str
    agency: str
    """The other side."""
    state: str
    role: str
    """`receiver`, `member` or `collector`."""
    forecast: RoundForecast | None = None
    """None until the rates have been exchanged."""
    collected: Tally | None = None
    """At the collector of a threshold, unless its retention has ended."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "edge": self.edge,
            "agency": self.agency,
            "state": self.state,
            **({} if self.forecast is None else self.forecast.figures()),
            **({} if self.collected is None else {"collected": asdict(self.collected)}),
        }


@dataclass(frozen=True)
class RoundResults:
    """The results of one round that this node holds."""

    round_id: bytes
    edges: tuple[EdgeResults, ...]
    """Every edge and threshold of which this node receives results, also those without a lead."""
    leads: tuple[ResultLead, ...]
    """By edge, best first."""
    numbers: tuple[AggregateResult, ...]
    """Counts and sums."""

    @property
    def fact_names(self) -> list[str]:
        """The names of all released facts, in order of appearance."""
        return fact_names(self.leads)

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "round": self.round_id.hex() if self.edges else "",
            "edges": [edge.data() for edge in self.edges],
            "leads": [asdict(lead) for lead in self.leads],
            "numbers": [number.data() for number in self.numbers],
        }


def load(node: Node, round_id: bytes, edge: str | None = None, *, tallies: bool = True) -> RoundResults:
    """The results of a round whose retention has not ended.

    Args:
        node: this node.
        round_id: 16 bytes.
        edge: leads, counts and sums of this edge only; None for all.
        tallies: with the numbers that this node collected for thresholds.

    Raises:
        StoreError: a stored result is damaged.
    """
    rows = [row for row in node.store.edges(round_id) if row.role in _RECEIVING]
    return RoundResults(
        round_id,
        tuple(_edge(node, row, tallies=tallies) for row in rows),
        tuple(leads.load(node, round_id, edge)),
        tuple(aggregate_results.load(node, round_id, edge)),
    )


def _edge(node: Node, row: EdgeRow, *, tallies: bool) -> EdgeResults:
    collected = tally.load(node, row.round_id, row.edge) if tallies and row.role == "collector" else None
    return EdgeResults(row.edge, row.peer, row.state, row.role, forecast.round_forecast(node, row), collected)


def to_csv(results: RoundResults) -> str:
    """The leads, one a line, and after them the counts and sums."""
    parts = [leads_csv(results.leads)] if results.leads or not results.numbers else []
    return "\n".join(parts + ([aggregate_results.to_csv(results.numbers)] if results.numbers else []))


def to_json(results: RoundResults) -> str:
    """One object: see `RoundResults.data`."""
    return json.dumps(results.data(), indent=2, ensure_ascii=False) + "\n"


def fact_names(rows: Iterable[ResultLead]) -> list[str]:
    """The names of all released facts, in order of appearance."""
    return list(dict.fromkeys(name for lead in rows for record in lead.facts for name in record))


def leads_csv(rows: Sequence[ResultLead]) -> str:
    """One line per lead; the facts of several records share a cell, separated by `|`.

    Under a standing agreement a last column shows which leads are new.
    """
    names = fact_names(rows)
    standing = any(lead.new is not None for lead in rows)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["reference", "agency", "edge", "posterior", "score", "keys", "handling", *map(_cell, names), "more"]
        + ["new"] * standing
    )
    for lead in rows:
        facts = [" | ".join(record.get(name, "") for record in lead.facts) for name in names]
        likely = f"{lead.posterior:.4f}"
        cells = [
            lead.reference,
            lead.agency,
            lead.edge,
            likely,
            lead.score,
            "; ".join(lead.keys),
            lead.handling,
        ]
        new = ["yes" if lead.new else "no"] * standing
        writer.writerow([_cell(cell) for cell in (*cells, *facts)] + [lead.more, *new])
    return out.getvalue()


def to_ftm(results: RoundResults) -> str:
    """FollowTheMoney entities of the leads, one JSON object a line: references and released facts, never a name.

    A lead is an `UnknownLink` between two `LegalEntity`s: our record, with its reference, and the other agency's
    record, without one. Each released record of the other agency gives the entities for which it has facts: a `Company`
    with its number, a `Contract`, and what connects them: a `ContractAward`, or a `Directorship` with role and dates.
    The link states that a lead is not an identification.
    """
    round_id = results.round_id.hex() if results.edges else ""
    entities: dict[str, dict[str, Any]] = {}
    for number, lead in enumerate(results.leads):
        _add_lead(entities, lead, number, round_id)
    return "".join(
        json.dumps(entity, ensure_ascii=False, separators=(",", ":")) + "\n" for entity in entities.values()
    )


def _add_lead(entities: dict[str, dict[str, Any]], lead: ResultLead, number: int, round_id: str) -> None:
    def add(schema: str, key: Sequence[object], **properties: str) -> str:
        # A hash reveals nothing and is equal for equal entities, so that files can be merged.
        name = hashlib.sha256(json.dumps([schema, *key]).encode()).hexdigest()[:40]
        values = {field: [value] for field, value in properties.items() if value}
        entities.setdefault(name, {"id": name, "schema": schema, "properties": values})
        return name

    edge = (round_id, lead.edge, lead.agency)
    ours = add(
        "LegalEntity",
        (round_id, lead.reference),
        idNumber=lead.reference,
        summary="our record, by its reference",
    )
    theirs = add(
        "LegalEntity",
        (*edge, lead.reference, number),
        summary=f"a record of {lead.agency} that agrees with ours",
    )
    add(
        "UnknownLink",
        (*edge, lead.reference, number),
        subject=ours,
        object=theirs,
        role="lead, not an identification",
        summary="; ".join(lead.keys),
        publisher=lead.agency,
        recordId=f"{round_id}/{lead.edge}/{number + 1}",
        description=f"{lead.score:.1f} bits; one person with a chance of {lead.posterior:.4f} by the model",
    )
    for facts in lead.facts:
        company = contract = ""
        if facts.get("company_number"):
            company = add("Company", (facts["company_number"],), registrationNumber=facts["company_number"])
        if facts.get("contract_reference"):
            reference, value = facts["contract_reference"], facts.get("contract_value", "")
            contract = add(
                "Contract",
                (lead.agency, reference),
                procedureNumber=reference,
                title=reference,
                amount=value,
                currency=facts.get("contract_currency", ""),
            )
        if contract:
            add(
                "ContractAward",
                (lead.agency, contract, company or theirs),
                supplier=company or theirs,
                contract=contract,
                amount=facts.get("contract_value", ""),
                startDate=facts.get("contract_start", ""),
                endDate=facts.get("contract_end", ""),
            )
        if company and facts.get("role", "company") != "company":
            add(
                "Directorship",
                (theirs, company, facts["role"], facts.get("appointed_on", "")),
                director=theirs,
                organization=company,
                role=facts["role"],
                startDate=facts.get("appointed_on", ""),
                endDate=facts.get("resigned_on", ""),
            )


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
