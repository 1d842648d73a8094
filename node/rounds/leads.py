"""Leads: built from hits, sealed in the store, and read again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.protocol import linkage
from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.hits.facts import unpack
from blindmatch.protocol.session.messages import Hits

_KEYS_TOLD = 4
"""A pair that agrees on much agrees on dozens of keys; the strongest few say it."""


@dataclass(frozen=True)
class ResultLead:
    """One lead as it is kept and shown. A lead is no identification: a person looks at it."""

    reference: str = field(repr=False)
    """Our own reference."""
    agency: str
    """Who holds the same."""
    edge: str
    keys: tuple[str, ...]
    """What agrees, in words: the strongest keys, strongest first."""
    key_names: tuple[str, ...]
    """Every key that agrees."""
    score: float
    """Bits: the strongest key's weight."""
    handling: str = ""
    facts: tuple[dict[str, str], ...] = field(default=(), repr=False)
    """What the other agency released, one entry per record of its own that agrees."""
    posterior: float = 1.0
    """By the model, how likely at least that both records are of one person: that of the strongest key alone."""
    more: int = 0
    """Further records of the other agency, whose facts did not fit."""
    lacking: bool = False
    """Every key that agrees is one for records that lack a field: look twice."""
    new: bool | None = None
    """Under a standing agreement, whether the comparison before did not tell of it; None elsewhere and the first time."""
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


def assemble(
    made: PreparedInputs, hits: Hits, *, agency: str, edge: str, known: frozenset[str] | None = None
) -> list[ResultLead]:
    """The leads of one edge, best score first. Facts that cannot be read are counted: the lead itself stands.

    Args:
        made: this side's tokens and collection.
        hits: what matched.
        agency: the other side.
        edge: its id.
        known: our references that an earlier comparison told of, where that is to be said.
    """
    rows = {int(element): row for row, element in enumerate(hits.elements.tolist())}
    found = []
    told = linkage.leads(made.compiled, made.tokens, hits.elements)
    # In the order in which they lie on the disk: a block is opened once.
    infos = {
        record: made.collection.record(int(made.selected[record]))
        for record in sorted({x.record for x in told})
    }
    for lead in told:
        strongest = sorted(lead.keys, key=lambda key: (-key.posterior, -key.weight, key.name))
        info = infos[lead.record]
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
                keys=tuple(key.words for key in strongest[:_KEYS_TOLD]),
                key_names=tuple(key.name for key in strongest),
                score=max(key.weight for key in lead.keys),
                posterior=max(key.posterior for key in lead.keys),
                handling=info.handling,
                facts=tuple(facts),
                more=more,
                damaged=damaged,
                new=None if known is None else info.reference not in known,
                lacking=all(key.absent_receiver or key.absent_sender for key in lead.keys),
            )
        )
    return sorted(found, key=lambda lead: (-lead.posterior, -lead.score))


def assemble_shared(
    brought: PreparedInputs, elements: Sequence[int], *, held_by: str, edge: str
) -> list[ResultLead]:
    """The leads of a threshold, best score first: our records whose keys are among those that enough members hold.

    Args:
        brought: our side.
        elements: indices of our elements that are shared.
        held_by: in words, by how many; which others they are, nobody told us.
        edge: the threshold's id.
    """
    by_record: dict[int, set[int]] = {}
    for element in elements:
        rank = int(brought.tokens.key_index[element])
        if rank != linkage.DUMMY:
            for record in brought.tokens.records_of(element).tolist():
                by_record.setdefault(record, set()).add(rank)
    found = []
    for record, ranks in by_record.items():
        keys = [brought.compiled.keys[rank] for rank in ranks]
        strongest = sorted(keys, key=lambda key: (-key.posterior, -key.weight, key.name))
        info = brought.collection.record(int(brought.selected[record]))
        found.append(
            ResultLead(
                reference=info.reference,
                agency=held_by,
                edge=edge,
                keys=tuple(key.words for key in strongest[:_KEYS_TOLD]),
                key_names=tuple(key.name for key in strongest),
                score=max(key.weight for key in keys),
                posterior=max(key.posterior for key in keys),
                handling=info.handling,
            )
        )
    return sorted(found, key=lambda lead: (-lead.posterior, -lead.score, lead.reference))


def _line(text: str) -> str:
    """Another agency's words, for an officer's terminal and spreadsheet: nothing in them may steer either."""
    return "".join(character if character.isprintable() else " " for character in text)


@dataclass(frozen=True)
class Tally:
    """What a collector's officers are told: how many keys enough members hold, in the agreement's steps."""

    count: int | None
    """Rounded down; None: fewer than the minimum."""
    minimum: int
    band: int
    at_least: int
    members: int

    def to_json(self) -> bytes:
        """For the store."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "Tally":
        """Read what `to_json` wrote.

        Raises:
            StoreError: it is something else.
        """
        try:
            return cls(**json.loads(payload))
        except (ValueError, TypeError):
            raise StoreError("a stored number is damaged", hint="Run the round again.") from None

    @property
    def words(self) -> str:
        """One sentence."""
        by = f"by at least {self.at_least} of {self.members} agencies"
        if self.count is None:
            return f"fewer than {self.minimum:,} match keys are held {by}"
        steps = "" if self.band == 1 else f", to the nearest {self.band:,} below"
        return f"{self.count:,} match keys are held {by}{steps}"


def tally(node: Node, round_id: bytes, edge: str) -> Tally | None:
    """The number of a threshold that this node collected, unless it has expired."""
    kept = node.store.tally(round_id, edge)
    return None if kept is None else Tally.from_json(kept)


def load(node: Node, round_id: bytes, edge: str | None = None) -> list[ResultLead]:
    """The leads of a round that have not expired, by edge, best first."""
    return [ResultLead.from_json(row.payload) for row in node.store.leads(round_id, edge)]
