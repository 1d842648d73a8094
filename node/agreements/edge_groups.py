"""Edges that differ in their agencies only: their terms are shown once, also in an agreement of hundreds of edges."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from blindmatch.protocol.agreement import Edge


@dataclass(frozen=True)
class EdgeGroup:
    """Edges with the same terms, in the agreement's order."""

    terms: Edge
    """The terms of the first edge, without its agencies."""
    edges: tuple[Edge, ...]

    @property
    def receivers(self) -> tuple[str, ...]:
        """The agencies that learn, each once."""
        return tuple(dict.fromkeys(edge.receiver.agency for edge in self.edges))

    @property
    def senders(self) -> tuple[str, ...]:
        """The agencies from which they learn, each once."""
        return tuple(dict.fromkeys(edge.sender.agency for edge in self.edges))

    @property
    def whole(self) -> bool:
        """Whether every receiver learns from every sender except itself."""
        pairs = {(edge.receiver.agency, edge.sender.agency) for edge in self.edges}
        return pairs == {(r, s) for r in self.receivers for s in self.senders if r != s}

    def senders_of(self, receiver: str) -> tuple[str, ...]:
        """The agencies from which one receiver learns."""
        return tuple(edge.sender.agency for edge in self.edges if edge.receiver.agency == receiver)

    def words(self) -> dict[str, str]:
        """What `the receiver` and `the sender` learn, without their names."""
        return {
            "receiver_learns": _the(self.terms.receiver_learns()),
            "sender_learns": _the(self.terms.sender_learns()),
        }


@lru_cache(maxsize=2_048)
def without_parties(edge: Edge) -> Edge:
    """The edge without its agencies, also in its words, and without its id."""
    names = {edge.receiver.agency: "R", edge.sender.agency: "S"}
    mention = rf"(?<![\w-])({'|'.join(names)})(?![\w-])"
    return replace(
        edge,
        id="edge",
        receiver=replace(edge.receiver, agency="receiver"),
        sender=replace(edge.sender, agency="sender"),
        leakage=re.sub(mention, lambda name: names[name[0]], edge.leakage),
    )


def group_edges(edges: Sequence[Edge]) -> list[EdgeGroup]:
    """The edges grouped by their terms, in the order in which each group first appears in the agreement."""
    groups: dict[Edge, list[Edge]] = {}
    for edge in edges:
        groups.setdefault(without_parties(edge), []).append(edge)
    return [EdgeGroup(common, tuple(members)) for common, members in groups.items()]


def _the(text: str) -> str:
    text = re.sub(r"\b(receiver|sender)\b", r"the \1", text)
    return re.sub(r"(^|\. )the ", r"\1The ", text)
