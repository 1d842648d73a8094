"""What each side learns from a comparison, in words: the default for `leakage`, and what `agreement show` prints.

The sentences about one disclosure are in its class. Every sentence is a claim that a test checks: two worlds that it calls
the same look the same to the side that it is about.
"""

from dataclasses import replace
from functools import cache
from typing import TypeVar

from blindmatch.protocol.agreement.disclosures.threshold import Threshold
from blindmatch.protocol.agreement.edges import Edge
from blindmatch.protocol.linkage.rates import rate_count
from blindmatch.protocol.linkage.schema import SchemaError, load_schema

Kind = TypeVar("Kind", Edge, Threshold)


@cache
def both_learn(schema: str) -> str:
    """What the rates are, and what they disclose.

    Args:
        schema: the name of the agreement's linkage schema; without it in this program, the number of rates is left out.
    """
    try:
        count = f"{rate_count(load_schema(schema))} "
    except SchemaError:
        count = ""
    return (
        f"The rates are {count}rounded numbers per list, exchanged before the comparison: in what share of the records "
        "each field is filled in, and how often two different people in the list agree on a name, a date or a place. They "
        "describe the list as a whole, for example that many people live in one district or belong to one family. They "
        "name nobody, contain no value of a record, and do not depend on the other list."
    )


def standing_learn() -> str:
    """What repeated comparisons under one key disclose in addition."""
    return (
        "Under a standing agreement one key serves for an epoch, and only changes are sent. Each side also learns how many "
        "of the other's records are new or changed since the last comparison, and how many are gone or changed. The "
        "receiver sees which of the sender's entries were added and removed, without learning whose they are. A single "
        "record that one side submits or queries looks the same to the other side whether it matches or not. Each side "
        "sees how many records the other submits or queries, and when."
    )


def default_leakage(
    comparison: Edge | Threshold, schema: str, collector: str = "", *, standing: bool = False
) -> str:
    """What each side learns from a comparison, in words, for the parties to sign.

    Args:
        comparison: an edge or a threshold.
        schema: the name of the agreement's linkage schema.
        collector: of the agreement.
        standing: whether the agreement is a standing one. This matters for edges that disclose hits.
    """
    if isinstance(comparison, Edge):
        sentences = [comparison.receiver_learns(), comparison.sender_learns(), both_learn(schema)]
        if standing and comparison.terms.lists_hits:
            sentences.append(standing_learn())
    else:
        sentences = [comparison.member_learns(), comparison.collector_learns(collector), both_learn(schema)]
    return "\n".join(sentences)


def describe(comparison: Kind, schema: str, collector: str = "", *, standing: bool = False) -> Kind:
    """The same comparison with `default_leakage` as its words."""
    return replace(comparison, leakage=default_leakage(comparison, schema, collector, standing=standing))
