"""A comparison in words: what each side learns. The default for `leakage`, and what `agreement show` prints.

Every sentence is a promise that a test holds: two worlds that it calls the same look the same to who reads it.
"""

from dataclasses import replace
from typing import TypeVar

from blindmatch.protocol.agreement.disclosures import Threshold
from blindmatch.protocol.agreement.edges import Edge

RATES = 200
"""Roughly how many numbers a side states; the schema has the exact count."""

Comparison = TypeVar("Comparison", Edge, Threshold)


def both_learn() -> str:
    """What the rates are and tell, in two sentences."""
    return (
        f"The rates are about {RATES} rounded numbers per list, exchanged before the comparison: in what share of "
        "the records each field is filled in, and how often two different people in the list agree on a name, a "
        "date or a place. They describe the list as a whole, such as that many live in one district or are of one "
        "family; they name nobody, hold no value out of a record, and do not depend on the other list."
    )


def standing_learn() -> str:
    """What comparing again under one key tells besides, in three sentences."""
    return (
        "Under a standing agreement the same key serves for an epoch, and only changes travel: each side also sees how "
        "many of the other's records are new or changed since the last comparison, and how many are gone or changed; "
        "the receiver sees which of the sender's entries came and went, without knowing whose they are. A single "
        "record that one side submits or asks about looks the same to the other whether it matches or not. Each side "
        "sees how many the other submits or asks about, and when."
    )


def default_leakage(comparison: Edge | Threshold, collector: str = "", *, standing: bool = False) -> str:
    """What each side learns from a comparison, in words, for the parties to sign.

    Args:
        comparison: an edge or a threshold.
        collector: of the agreement.
        standing: whether the agreement is a standing one; it makes a difference to edges that disclose hits.
    """
    if isinstance(comparison, Edge):
        sentences = [comparison.receiver_learns(), comparison.sender_learns(), both_learn()]
        if standing and comparison.terms.lists_hits:
            sentences.append(standing_learn())
    else:
        sentences = [comparison.member_learns(), comparison.collector_learns(collector), both_learn()]
    return "\n".join(sentences)


def describe(comparison: Comparison, collector: str = "", *, standing: bool = False) -> Comparison:
    """The same with `default_leakage` as its words; whatever stood there serves as a placeholder only."""
    return replace(comparison, leakage=default_leakage(comparison, collector, standing=standing))
