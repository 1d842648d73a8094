"""The comparisons of one agreement in memory: each with its lines, what everybody was told, and what that is in the clear.

Lists are numbers, one list for each party. A record of a count, and an entry of a sum, has two tokens: its number, and one that it
shares with its neighbour.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support import hits_sessions
from tests.support.aggregate_sessions import AggregateEdge, cleartext_count, cleartext_sum
from tests.support.lossy_channel import LossyChannel, Side, drive
from tests.support.threshold_sessions import ThresholdInputs

from blindmatch.node.rounds.inputs import edge_context
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.elgamal import Opening
from blindmatch.protocol.agreement import Agreement, Disclosure, Threshold
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext
from blindmatch.protocol.transcript import Ed25519Signer

_FACT = 500
_VALUE = 7
_NEIGHBOUR = 100


@dataclass(frozen=True)
class ComparisonInputs:
    """What all parties bring: their lists and identity keys by agency, and the chunk sizes, the same for all."""

    lists: Mapping[str, Sequence[int]]
    signers: Mapping[str, Ed25519Signer]
    limits: Limits


class Comparison(ABC):
    """One edge, or one threshold.

    Args:
        name: its id in the agreement.
        lines: who asks whom.
        secrets: the seed of every node's side.
    """

    broken = False
    """A side refused what came: its session has failed for good."""

    def __init__(
        self, name: str, lines: Sequence[LossyChannel[Any, Any]], secrets: Sequence[tuple[Side[Any], bytes]]
    ) -> None:
        self.name = name
        self.lines = lines
        self.secrets = secrets

    @property
    def parties(self) -> frozenset[str]:
        """Who takes part."""
        return frozenset(name for line in self.lines for name in line.names)

    @property
    @abstractmethod
    def told(self) -> dict[str, Any]:
        """What each party was told until now."""

    @property
    @abstractmethod
    def truth(self) -> dict[str, Any]:
        """What each party is told in the end, in the clear."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether who asked holds every signature."""

    @property
    @abstractmethod
    def receipts(self) -> set[Any]:
        """The receipts that any side has kept: one, when all agree."""

    def finish(self) -> None:
        """Quiet days until it is closed."""
        drive(self.lines, lambda: self.closed)


class HitsComparison(Comparison):
    """An edge that lists hits, with or without facts."""

    def __init__(self, edge: hits_sessions.Edge, ours: Sequence[int], theirs: Sequence[int]) -> None:
        self._line = edge.connect()
        secrets: list[tuple[Side[Any], bytes]] = [
            (self._line.receiver, edge.receiver_seed),
            (self._line.sender, edge.sender_seed),
        ]
        super().__init__(edge.context.edge, [self._line], secrets)
        self._receiver = edge.context.receiver
        self._facts = edge.context.with_facts
        self._found = [index for index, value in enumerate(ours) if value in theirs]
        self._said = [ours[index] + _FACT for index in self._found]

    @classmethod
    def between(cls, context: EdgeContext, brought: ComparisonInputs) -> "HitsComparison":
        """The comparison of these parties' lists."""
        ours, theirs = brought.lists[context.receiver], sorted(set(brought.lists[context.sender]))
        facts = [value + _FACT for value in theirs]
        edge = hits_sessions.Edge(
            context,
            hits_sessions.Rows.of(ours),
            hits_sessions.Rows.of(theirs),
            hits_sessions.Rows.of(facts, context.fact_bytes) if context.with_facts else None,
            brought.limits,
            _seed(context, "receiver"),
            _seed(context, "sender"),
            brought.signers[context.receiver],
            brought.signers[context.sender],
        )
        return cls(edge, ours, theirs)

    @property
    def told(self) -> dict[str, Any]:
        """See `Comparison`."""
        hits = self._line.hits
        if hits is None:
            return {}
        facts = (
            [int.from_bytes(row.tobytes(), "big") for row in hits.facts] if hits.facts is not None else None
        )
        return {self._receiver: (hits.elements.tolist(), facts)}

    @property
    def truth(self) -> dict[str, Any]:
        """See `Comparison`."""
        return {self._receiver: (self._found, self._said if self._facts else None)}

    @property
    def closed(self) -> bool:
        """See `Comparison`."""
        return self._line.closed

    @property
    def receipts(self) -> set[Any]:
        """See `Comparison`."""
        return set(self._line.receipts)


class AggregateComparison(Comparison):
    """An edge that tells a count or a sum."""

    def __init__(self, edge: AggregateEdge, truth: Any) -> None:
        self._line = edge.connect()
        secrets: list[tuple[Side[Any], bytes]] = [
            (self._line.receiver, edge.receiver_seed),
            (self._line.sender, edge.sender_seed),
        ]
        super().__init__(edge.context.edge, [self._line], secrets)
        self._receiver = edge.context.receiver
        self._truth = truth

    @classmethod
    def between(
        cls, context: EdgeContext, terms: AggregateTerms, brought: ComparisonInputs
    ) -> "AggregateComparison":
        """The comparison of these parties' lists."""
        ours, theirs = (_records(brought.lists[name]) for name in (context.receiver, context.sender))
        minimum, band = terms.minimum_count, terms.band
        truth: Any
        if context.disclosure is Disclosure.COUNT:
            tokens = sorted({token for record in theirs for token in record})
            made = AggregateEdge.count(ours, tokens)
            truth = cleartext_count(ours, tokens, minimum, band)
        else:
            tokens = sorted({token for record in ours for token in record})
            values = [_VALUE * record[0] for record in theirs]
            made = AggregateEdge.sum(tokens, theirs, values)
            truth = cleartext_sum(tokens, theirs, values, minimum)
        edge = replace(
            made,
            context=context,
            number=terms,
            limits=brought.limits,
            receiver_seed=_seed(context, "receiver"),
            sender_seed=_seed(context, "sender"),
            receiver_key=brought.signers[context.receiver],
            sender_key=brought.signers[context.sender],
        )
        return cls(edge, truth)

    @property
    def told(self) -> dict[str, Any]:
        """See `Comparison`."""
        if not self._line.said:
            return {}
        result = self._line.result
        return {self._receiver: result.total if isinstance(result, Opening) else result}

    @property
    def truth(self) -> dict[str, Any]:
        """See `Comparison`."""
        return {self._receiver: self._truth}

    @property
    def closed(self) -> bool:
        """See `Comparison`."""
        return self._line.closed

    @property
    def receipts(self) -> set[Any]:
        """See `Comparison`."""
        return set(self._line.receipts)


class ThresholdComparison(Comparison):
    """A threshold: each member is told of its own elements, the collector how many there are."""

    def __init__(self, circle: ThresholdInputs) -> None:
        self._circle = circle
        self._ring = ring = circle.connect()
        secrets: list[tuple[Side[Any], bytes]] = [(ring.collector, circle.collector_seed)]
        secrets += [(member, circle.member_seed(place)) for place, member in enumerate(ring.members)]
        super().__init__(circle.threshold, ring.lines, secrets)

    @classmethod
    def among(
        cls, terms: Threshold, collector: str, agreement_id: bytes, brought: ComparisonInputs
    ) -> "ThresholdComparison":
        """The comparison of the members' lists."""
        circle = ThresholdInputs(
            tuple(tuple(sorted(set(brought.lists[name]))) for name in terms.agencies),
            terms.at_least,
            minimum_count=terms.minimum_count,
            limits=brought.limits,
            collector_name=collector,
            salt=terms.id.encode(),
            names=terms.agencies,
            signers=brought.signers,
            agreement=agreement_id,
            threshold=terms.id,
        )
        return cls(circle)

    @property
    def told(self) -> dict[str, Any]:
        """See `Comparison`."""
        shared = self._ring.shared
        return self._ring.found | ({} if shared is None else {self._circle.collector_name: len(shared)})

    @property
    def truth(self) -> dict[str, Any]:
        """See `Comparison`."""
        circle = self._circle
        found = circle.expected()
        shared = {circle.lists[place][index] for place, row in enumerate(found) for index in row}
        few = len(shared) < circle.minimum_count
        told: dict[str, Any] = {
            name: [] if few else row for name, row in zip(circle.names, found, strict=True)
        }
        return told | {circle.collector_name: 0 if few else len(shared)}

    @property
    def closed(self) -> bool:
        """See `Comparison`."""
        return self._ring.closed

    @property
    def receipts(self) -> set[Any]:
        """See `Comparison`."""
        ring = self._ring
        kept = {line.receipt for line in ring.lines if line.receipt is not None}
        return kept | ({ring.collector.session.receipt_payload} if ring.closed else set())


def comparisons(agreement: Agreement, agreement_id: bytes, brought: ComparisonInputs) -> list[Comparison]:
    """Everything that one round of an agreement compares."""
    made: list[Comparison] = []
    for edge in agreement.edges:
        round_id = hashlib.sha256(edge.receiver.agency.encode()).digest()[:ROUND_BYTES]
        context = replace(edge_context(agreement_id, edge, round_id), keys_digest=b"k" * 32)
        if edge.terms.discloses_number:
            made.append(AggregateComparison.between(context, AggregateTerms.of(edge), brought))
        else:
            made.append(HitsComparison.between(context, brought))
    made += [
        ThresholdComparison.among(threshold, agreement.collector, agreement_id, brought)
        for threshold in agreement.thresholds
    ]
    return made


def _seed(context: EdgeContext, role: str) -> bytes:
    return hashlib.sha256(f"{role} of {context.edge}".encode()).digest()


def _records(values: Sequence[int]) -> list[list[int]]:
    return [[value, _NEIGHBOUR + value // 2] for value in values]
