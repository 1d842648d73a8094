"""Leads: from hits to rows that an officer reads, sealed in the store, and out again as CSV or JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from blindmatch.node.audit import AuditEvent
from blindmatch.node.facts import unpack
from blindmatch.node.home import Node
from blindmatch.node.preparation import Prepared
from blindmatch.node.store import EdgeRow
from blindmatch.protocol import linkage
from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.match import Hits

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and facts come from another agency."""


@dataclass(frozen=True)
class ResultLead:
    """One lead as it is kept and shown. A lead is no identification: a person looks at it."""

    reference: str = field(repr=False)
    """Our own reference."""
    agency: str
    """Who holds the same."""
    edge: str
    keys: tuple[str, ...]
    """What agrees, in words, strongest first."""
    key_names: tuple[str, ...]
    score: float
    """Bits: the strongest key's weight."""
    handling: str = ""
    facts: tuple[dict[str, str], ...] = field(default=(), repr=False)
    """What the other agency released, one entry per record of its own that agrees."""
    more: int = 0
    """Further records of the other agency, whose facts did not fit."""
    damaged: int = 0
    """Hits of this lead whose facts did not open or make no sense: the other agency's node is faulty or hostile."""

    def to_json(self) -> bytes:
        """For the store."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "ResultLead":
        """Read what `to_json` wrote.

        Raises:
            StoreError: it is something else.
        """
        try:
            content: dict[str, Any] = json.loads(payload)
            content |= {name: tuple(content[name]) for name in ("keys", "key_names", "facts")}
            return cls(**content)
        except (ValueError, TypeError, KeyError):
            raise StoreError("a stored lead is damaged", hint="Run the round again.") from None


def assemble(made: Prepared, hits: Hits, *, agency: str, edge: str) -> list[ResultLead]:
    """The leads of one edge, best score first. Facts that cannot be read are counted: the lead itself stands."""
    rows = {int(element): row for row, element in enumerate(hits.elements.tolist())}
    found = []
    for lead in linkage.leads(made.compiled, made.tokens, hits.elements):
        info = made.collection.record(int(made.selected[lead.record]))
        facts: list[dict[str, str]] = []
        more = damaged = 0
        if hits.facts is not None:
            for element in lead.elements:
                row = rows[element]
                if hits.unopened is not None and hits.unopened[row]:
                    damaged += 1
                    continue
                try:
                    records, beyond = unpack(hits.facts[row].tobytes())
                except PeerError:
                    damaged += 1
                    continue
                shown = [{_line(name): _line(value) for name, value in record.items()} for record in records]
                facts += [record for record in shown if record and record not in facts]
                more = max(more, beyond)
        found.append(
            ResultLead(
                reference=info.reference,
                agency=agency,
                edge=edge,
                keys=lead.words,
                key_names=tuple(key.name for key in lead.keys),
                score=lead.score,
                handling=info.handling,
                facts=tuple(facts),
                more=more,
                damaged=damaged,
            )
        )
    return found


def _line(text: str) -> str:
    """Another agency's words, for an officer's terminal and spreadsheet: nothing in them may steer either."""
    return "".join(character if character.isprintable() else " " for character in text)


def load(node: Node, round_id: bytes, edge: str | None = None) -> list[ResultLead]:
    """The leads of a round that have not expired, by edge, best first."""
    return [ResultLead.from_json(row.payload) for row in node.store.leads(round_id, edge)]


def note_consultation(node: Node, round_id: bytes, count: int, *, justification: str = "") -> None:
    """Somebody looked at a round's leads."""
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"round {round_id.hex()}",
        recipient=node.agency,
        justification=justification,
        detail={"leads": count},
    )


def note_export(
    node: Node, round_id: bytes, count: int, *, form: str, recipient: str, justification: str = ""
) -> None:
    """A round's leads went to a file."""
    node.audit.append(
        AuditEvent.DISCLOSURE,
        subject=f"round {round_id.hex()}",
        recipient=recipient,
        justification=justification,
        detail={"action": "export", "format": form, "leads": count},
    )


def erase_expired(node: Node) -> int:
    """Erase the leads whose retention has ended, and say so in the audit log."""
    erased = node.store.erase_expired(int(node.clock()))
    if erased:
        node.audit.append(AuditEvent.ERASURE, subject="leads past their retention", detail={"leads": erased})
    return erased


def fact_names(leads: Iterable[ResultLead]) -> list[str]:
    """The names of all facts that came, in order of appearance."""
    return list(dict.fromkeys(name for lead in leads for record in lead.facts for name in record))


def to_csv(leads: Sequence[ResultLead]) -> str:
    """One line per lead; several records' facts stand in one cell, separated by `|`."""
    names = fact_names(leads)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["reference", "agency", "edge", "score", "keys", "handling", *map(_cell, names), "more"])
    for lead in leads:
        facts = [" | ".join(record.get(name, "") for record in lead.facts) for name in names]
        cells = [lead.reference, lead.agency, lead.edge, lead.score, "; ".join(lead.keys), lead.handling]
        writer.writerow([_cell(cell) for cell in (*cells, *facts)] + [lead.more])
    return out.getvalue()


def to_json(leads: Sequence[ResultLead], rows: Sequence[EdgeRow]) -> dict[str, Any]:
    """The round as plain values."""
    return {
        "round": rows[0].round_id.hex() if rows else "",
        "edges": [{"edge": row.edge, "agency": row.peer, "state": row.state} for row in rows],
        "leads": [asdict(lead) for lead in leads],
    }


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
