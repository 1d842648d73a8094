"""Edges that differ in their agencies only: what an agreement of hundreds of edges says once instead of each time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Edge

_USUAL = "usual"


@dataclass(frozen=True)
class EdgeGroup:
    """Edges with the same terms, in the agreement's order."""

    terms: Edge
    """One of them without its agencies."""
    edges: tuple[Edge, ...]

    @property
    def receivers(self) -> tuple[str, ...]:
        """Who learns, each once."""
        return tuple(dict.fromkeys(edge.receiver.agency for edge in self.edges))

    @property
    def senders(self) -> tuple[str, ...]:
        """From whom, each once."""
        return tuple(dict.fromkeys(edge.sender.agency for edge in self.edges))

    @property
    def whole(self) -> bool:
        """Whether every receiver learns from every sender but itself."""
        pairs = {(edge.receiver.agency, edge.sender.agency) for edge in self.edges}
        return pairs == {(r, s) for r in self.receivers for s in self.senders if r != s}

    def senders_of(self, receiver: str) -> tuple[str, ...]:
        """From whom one of them learns."""
        return tuple(edge.sender.agency for edge in self.edges if edge.receiver.agency == receiver)

    def words(self) -> dict[str, str]:
        """What `the receiver` and `the sender` learn, whoever they are."""
        return {
            "receiver_learns": _the(self.terms.receiver_learns()),
            "sender_learns": _the(self.terms.sender_learns()),
            "both_learn": terms.both_learn(),
        }


@lru_cache(maxsize=2_048)
def without_parties(edge: Edge) -> Edge:
    """The edge's terms without its agencies and its id; its words stay only when they are not the usual ones."""
    return replace(
        edge,
        id="edge",
        receiver=replace(edge.receiver, agency="receiver"),
        sender=replace(edge.sender, agency="sender"),
        leakage=_USUAL if edge.leakage in _usual(edge) else edge.leakage,
    )


def group_edges(edges: Sequence[Edge]) -> list[EdgeGroup]:
    """Edges by their terms, in the order in which each kind first stands in the agreement."""
    found: dict[Edge, list[Edge]] = {}
    for edge in edges:
        found.setdefault(without_parties(edge), []).append(edge)
    return [EdgeGroup(common, tuple(members)) for common, members in found.items()]


def _the(text: str) -> str:
    text = re.sub(r"\b(receiver|sender)\b", r"the \1", text)
    return re.sub(r"(^|\. )the ", r"\1The ", text)


def _usual(edge: Edge) -> tuple[str, str]:
    """The words that the program proposes: under an agreement for one time, and under a standing one."""
    return terms.default_leakage(edge), terms.default_leakage(edge, standing=True)
