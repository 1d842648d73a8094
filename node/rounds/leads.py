"""Leads: built from hits, stored sealed, and read again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.protocol import linkage
from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.hits.facts import unpack
from blindmatch.protocol.linkage import CompiledKey
from blindmatch.protocol.session.messages import Hits

_KEYS_SHOWN = 4
"""Similar records agree on dozens of keys; the strongest few describe the lead."""


@dataclass(frozen=True)
class ResultLead:
    """One lead, as stored and shown. It is not an identification: a person must assess it."""

    reference: str = field(repr=False)
    """Of our own record."""
    agency: str
    """The agency that holds a matching record; for a threshold, how many agencies do."""
    edge: str
    keys: tuple[str, ...]
    """Descriptions of the strongest keys that agree, strongest first."""
    key_names: tuple[str, ...]
    """The names of all keys that agree, strongest first."""
    score: float
    """Bits: the weight of the strongest key."""
    handling: str = ""
    facts: tuple[dict[str, str], ...] = field(default=(), repr=False)
    """The facts that the other agency released: one entry per record of its own that agrees."""
    posterior: float = 1.0
    """By the model, the least probability that both records are of one person: that of the strongest key alone."""
    more: int = 0
    """Further records of the other agency, whose facts had no space."""
    lacking: bool = False
    """Every key that agrees is a key for records that lack a field, so the lead needs more care."""
    new: bool | None = None
    """Under a standing agreement, whether the comparison before did not give this lead; None elsewhere and in a first round."""
    damaged: int = 0
    """Hits of this lead whose facts cannot be decrypted or parsed: the other agency's node is faulty or hostile."""

    def to_json(self) -> bytes:
        """The stored form."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "ResultLead":
        """Read the output of `to_json`.

        Raises:
            StoreError: the payload is damaged.
        """
        try:
            content: dict[str, Any] = json.loads(payload)
            content |= {name: tuple(content[name]) for name in ("keys", "key_names", "facts")}
            return cls(**content)
        except (ValueError, TypeError, KeyError):
            raise StoreError("a stored lead is damaged", hint="Run the round again.") from None


def build_leads(
    inputs: PreparedInputs, hits: Hits, *, agency: str, edge: str, known: frozenset[str] | None = None
) -> list[ResultLead]:
    """The leads of one edge, best first. A lead whose facts cannot be read is a lead all the same; such facts are counted.

    Args:
        inputs: this side's tokens and collection.
        hits: the elements that match, and their facts.
        agency: the other side.
        edge: its id.
        known: our references in the leads of an earlier comparison, where new leads are to be marked.
    """
    rows = {int(element): row for row, element in enumerate(hits.elements.tolist())}
    leads = []
    # In the order of the records on the disk, so that each block is read once.
    for lead in sorted(
        linkage.leads(inputs.compiled, inputs.tokens, hits.elements), key=lambda lead: lead.record
    ):
        facts, more, damaged = _facts(hits, [rows[element] for element in lead.elements])
        result = _build(inputs, lead.record, lead.keys, agency=agency, edge=edge)
        leads.append(
            replace(
                result,
                facts=facts,
                more=more,
                damaged=damaged,
                new=None if known is None else result.reference not in known,
                lacking=all(key.absent_receiver or key.absent_sender for key in lead.keys),
            )
        )
    return sorted(leads, key=lambda lead: (-lead.posterior, -lead.score))


def build_shared_leads(
    inputs: PreparedInputs, elements: Sequence[int], *, held_by: str, edge: str
) -> list[ResultLead]:
    """The leads of a threshold, best first: our records whose keys enough members hold.

    Args:
        inputs: our side.
        elements: indices of our elements that are shared.
        held_by: the number of members, in words. Which members they are is not disclosed.
        edge: the threshold's id.
    """
    by_record: dict[int, set[int]] = {}
    for element in elements:
        rank = int(inputs.tokens.key_index[element])
        if rank != linkage.DUMMY:
            for record in inputs.tokens.records_of(element).tolist():
                by_record.setdefault(record, set()).add(rank)
    leads = [
        _build(inputs, record, [inputs.compiled.keys[rank] for rank in ranks], agency=held_by, edge=edge)
        for record, ranks in by_record.items()
    ]
    return sorted(leads, key=lambda lead: (-lead.posterior, -lead.score, lead.reference))


def load(node: Node, round_id: bytes, edge: str | None = None) -> list[ResultLead]:
    """The leads of a round that have not expired, by edge, best first.

    Raises:
        StoreError: a stored lead is damaged.
    """
    return [ResultLead.from_json(row.payload) for row in node.store.leads(round_id, edge)]


def _build(
    inputs: PreparedInputs, record: int, keys: Iterable[CompiledKey], *, agency: str, edge: str
) -> ResultLead:
    """The lead of one record, without facts."""
    strongest = sorted(keys, key=lambda key: (-key.posterior, -key.weight, key.name))
    info = inputs.collection.record(int(inputs.selected[record]))
    return ResultLead(
        reference=info.reference,
        agency=agency,
        edge=edge,
        keys=tuple(key.words for key in strongest[:_KEYS_SHOWN]),
        key_names=tuple(key.name for key in strongest),
        score=max(key.weight for key in strongest),
        posterior=strongest[0].posterior,
        handling=info.handling,
    )


def _facts(hits: Hits, rows: Sequence[int]) -> tuple[tuple[dict[str, str], ...], int, int]:
    """The facts of the hits of one record, each once; the records whose facts had no space; the hits whose facts are damaged."""
    facts: list[dict[str, str]] = []
    more = damaged = 0
    if hits.facts is None:
        return (), more, damaged
    for row in rows:
        if hits.unopened is not None and hits.unopened[row]:
            damaged += 1
            continue
        try:
            records, beyond = unpack(hits.facts[row].tobytes())
        except PeerError:
            damaged += 1
            continue
        shown = [
            {_printable(name): _printable(value) for name, value in record.items()} for record in records
        ]
        facts += [record for record in shown if record and record not in facts]
        more = max(more, beyond)
    return tuple(facts), more, damaged


def _printable(text: str) -> str:
    """Another agency's text without control characters, which could affect an officer's terminal or spreadsheet."""
    return "".join(character if character.isprintable() else " " for character in text)
