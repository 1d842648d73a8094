"""A comparison in words: what each side learns. The default for `leakage`, and what `agreement show` prints.

Every sentence is a promise that a test holds: two worlds that it calls the same look the same to who reads it.
"""

from dataclasses import replace
from typing import TypeVar

from blindmatch.protocol.agreement.edges import Disclosure, Edge, Side, Threshold

RATES = 200
"""Roughly how many numbers a side states; the schema has the exact count."""

Comparison = TypeVar("Comparison", Edge, Threshold)


def receiver_learns(edge: Edge) -> str:
    """What the receiver gets to know, in a few sentences."""
    sender, receiver = edge.sender, edge.receiver
    matching = (
        f"{receiver.collection_kind} match a record among the {sender.collection_kind} of {sender.agency}"
    )
    least = f"when fewer than {edge.minimum_count:,} do, it learns only that"
    if edge.disclosure is Disclosure.COUNT:
        steps = "" if edge.band == 1 else f", to the nearest {edge.band:,} below"
        learns = f"{receiver.agency} learns how many of its own {matching}{steps}; {least}. It does not learn which"
    elif edge.disclosure is Disclosure.SUM:
        rounded = "" if edge.band == 1 else f", each rounded to a multiple of {_unit(edge)}"
        learns = (
            f"{receiver.agency} learns the sum of {edge.value}{rounded}, over those {sender.collection_kind} of "
            f"{sender.agency} that match one of its own {receiver.collection_kind}; {least}. It does not learn which, "
            "nor how many"
        )
    else:
        learns = f"{receiver.agency} learns which of its own {matching}, and which of the match keys agreed"
    if edge.disclosure is Disclosure.HITS_FACTS:
        learns += f"; for each match it also receives these facts: {', '.join(edge.facts)}"
    padded = (
        ", to how many match keys each was padded, how often one occurs among them at most (to a power of two),"
        if edge.disclosure is Disclosure.SUM
        else ""
    )
    seen = (
        f"It sees how many {sender.collection_kind} {sender.agency} compared ({_most(sender)}){padded} and their rates, "
        "and nothing of those that do not match."
    )
    passed = f" It passes the result on to {', '.join(edge.report_to)}." if edge.report_to else ""
    return f"{learns}. {seen}{passed}"


def sender_learns(edge: Edge) -> str:
    """What the sender gets to know, in a few sentences."""
    sender, receiver = edge.sender, edge.receiver
    often = (
        "how often a match key occurs among them at most (to a power of two), "
        if edge.disclosure is Disclosure.COUNT
        else ""
    )
    seen = (
        f"{sender.agency} sees how many {receiver.collection_kind} {receiver.agency} compared ({_most(receiver)}), "
        f"{often}their rates, and when."
    )
    if edge.listing:
        return f"{seen} It does not learn who they are, which of its own records matched, or whether any did."
    counted = (
        receiver.collection_kind
        if edge.disclosure is Disclosure.COUNT
        else f"of its {sender.collection_kind}"
    )
    return (
        f"{seen} Its node counts the matches, so that it can hold a result below the minimum back: it learns how many "
        f"{counted} match and how many match keys agreed in each, but neither who they are nor which of its own "
        "records matched, beyond what these numbers of keys suggest."
    )


def member_learns(threshold: Threshold) -> str:
    """What each member of a threshold gets to know."""
    others = len(threshold.members) - 1
    who = (
        "with records of all the others"
        if threshold.at_least > others
        else f"with records of at least {threshold.at_least - 1} of the others, not of which"
    )
    return (
        f"Each of {', '.join(threshold.agencies)} learns which of its own records share a match key {who}; when fewer "
        f"than {threshold.minimum_count:,} keys are shared so widely, nobody learns any. It sees how many records each "
        "of the others compared, their rates, and when. A key can be tried only as that of a record that a member "
        "brings, fixed before it learns anything, and only while all the others take part."
    )


def collector_learns(threshold: Threshold, collector: str) -> str:
    """What the collector gets to know."""
    told = (
        f"{collector} collects: its node learns, for every match key that at least {threshold.at_least} of them hold, "
        "which of them hold it, and not whose it is; its officers are told how many there are"
        + ("" if threshold.band == 1 else f", to the nearest {threshold.band:,} below")
        + f", or that there are fewer than {threshold.minimum_count:,}. Of a match key that fewer of them hold it learns "
        "neither the key nor who holds it; it can estimate how many different keys those who share one hold together."
    )
    if collector in threshold.agencies:
        return (
            f"{told} Being one of them, its node could also work out which of the others hold a match key of its own "
            "records, however few they are."
        )
    return (
        f"{told} This holds as long as none of them helps it: together with one of them it could work out which of the "
        "others hold a match key of that one's records, however few they are."
    )


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
        said = (receiver_learns(comparison), sender_learns(comparison))
    else:
        said = (member_learns(comparison), collector_learns(comparison, collector))
    again = (standing_learn(),) if standing and isinstance(comparison, Edge) and comparison.listing else ()
    return "\n".join((*said, both_learn(), *again))


def describe(comparison: Comparison, collector: str = "", *, standing: bool = False) -> Comparison:
    """The same with `default_leakage` as its words; whatever stood there serves as a placeholder only."""
    return replace(comparison, leakage=default_leakage(comparison, collector, standing=standing))


def _most(side: Side) -> str:
    return f"at most {side.max_records:,}"


def _unit(edge: Edge) -> str:
    return f"{edge.band / 10**edge.decimals:,.{edge.decimals}f}"
