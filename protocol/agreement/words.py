"""An edge in words: what each side learns. The default for `Edge.leakage`, and what `agreement show` prints."""

from dataclasses import replace

from blindmatch.protocol.agreement.terms import Disclosure, Edge, Side

RATES = 200
"""Roughly how many numbers a side states; the schema has the exact count."""


def receiver_learns(edge: Edge) -> str:
    """What the receiver gets to know, in one or two sentences."""
    sender, receiver = edge.sender, edge.receiver
    found = (
        f"{receiver.agency} learns which of its own {receiver.collection_kind} match a record among the "
        f"{sender.collection_kind} of {sender.agency}, and which of the match keys agreed"
    )
    facts = ""
    if edge.disclosure is Disclosure.HITS_FACTS:
        facts = f"; for each match it also receives these facts: {', '.join(edge.facts)}"
    return (
        f"{found}{facts}. It sees how many {sender.collection_kind} {sender.agency} compared "
        f"({_most(sender)}) and their rates, and nothing of those that do not match."
    )


def sender_learns(edge: Edge) -> str:
    """What the sender gets to know, in one or two sentences."""
    sender, receiver = edge.sender, edge.receiver
    return (
        f"{sender.agency} sees how many {receiver.collection_kind} {receiver.agency} compared ({_most(receiver)}), "
        "their rates, and when. It does not learn who they are, which of its own records matched, or whether any did."
    )


def both_learn() -> str:
    """What the rates are and tell, in two sentences."""
    return (
        f"The rates are about {RATES} rounded numbers per list, exchanged before the comparison: in what share of "
        "the records each field is filled in, and how often two different people in the list agree on a name, a "
        "date or a place. They describe the list as a whole, such as that many live in one district or are of one "
        "family; they name nobody, hold no value out of a record, and do not depend on the other list."
    )


def default_leakage(edge: Edge) -> str:
    """What each side learns from this edge's disclosure, in words, for the parties to sign."""
    return f"{receiver_learns(edge)}\n{sender_learns(edge)}\n{both_learn()}"


def describe(edge: Edge) -> Edge:
    """The same edge with `default_leakage` as its words; whatever stood there serves as a placeholder only."""
    return replace(edge, leakage=default_leakage(edge))


def _most(side: Side) -> str:
    return f"at most {side.max_records:,}"
