"""The commented TOML file that an officer edits into an agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from blindmatch.node.agreements.draft import edge_id
from blindmatch.protocol.agreement import CALENDARS, HANDLING_CODES, KINDS, MARKINGS, Disclosure
from blindmatch.protocol.linkage.schema import schema_names

_DAYS = 180


@dataclass(frozen=True)
class Choices:
    """What the command's options say; the officer edits the rest."""

    receiver: str
    senders: Sequence[str]
    receiver_kind: str = "subjects"
    sender_kind: str = "suppliers"
    disclosure: Disclosure = Disclosure.HITS
    max_records: int = 20_000
    tokens_per_record: int = 160
    schema: str = "uk-person-company-2"


def template(choices: Choices, now: float) -> str:
    """A complete draft with an explanation above every field; `now` is in seconds since 1970."""
    today = datetime.fromtimestamp(now, UTC).date()
    head = _HEAD.format(
        schema=choices.schema,
        schemas=_either(schema_names()),
        markings=", ".join(MARKINGS),
        codes=_either(HANDLING_CODES),
        calendars=_either(CALENDARS),
        today=today.isoformat(),
        later=(today + timedelta(days=_DAYS)).isoformat(),
    )
    parties = "".join(_PARTY.format(agency=agency) for agency in (choices.receiver, *choices.senders))
    return head + parties + _EDGES + "".join(_edge(choices, sender) for sender in choices.senders)


def _edge(choices: Choices, sender: str) -> str:
    facts = choices.disclosure is Disclosure.HITS_FACTS
    return _EDGE.format(
        id=edge_id(choices.receiver, sender),
        receiver=choices.receiver,
        sender=sender,
        receiver_kind=choices.receiver_kind,
        sender_kind=choices.sender_kind,
        records=choices.max_records,
        tokens=choices.tokens_per_record,
        disclosure=choices.disclosure.value,
        kinds=_either(KINDS),
        facts='facts = ["contract_reference"]\nfact_bytes = 256'
        if facts
        else "# facts = []\n# fact_bytes = 0",
    )


def _either(words: Sequence[str]) -> str:
    return ", ".join(words)


_HEAD = """\
# A draft agreement. Edit it, then run: blindmatch agreement draft FILE
# Nothing here is binding before every party has signed the same bytes: blindmatch agreement sign ID

# What people call it.
title = ""

# Why these agencies compare their files, in words that every party signs. Say what a lead will be used for,
# and that a lead is not an identification: a trained person checks it before anything follows.
purpose = \"\"\"
\"\"\"

# The linkage schema: which match keys are compared. Known here: {schemas}
# `blindmatch linkage explain` and `blindmatch agreement show` say what its keys are.
schema = "{schema}"

# The highest marking of any collection that may enter: {markings}
marking = "OFFICIAL-SENSITIVE"

# Graded records with another handling code stay out. {codes}: P may be shared, C may be shared with conditions.
handling_codes = ["P"]

# The first day, and the first day on which no round can start any more. Both at 00:00 UTC.
not_before = {today}
expires = {later}

# How many rounds may be run. Every round discloses, so keep it as small as the purpose allows.
rounds_budget = 12

# When: {calendars}. `once` needs a budget of 1.
calendar = "on-demand"

# Leads are erased from the receiver's node after this many days.
retention_days = 90

# The agency that collects across parties, where a disclosure needs one. Leave it out for hits.
# collector = ""

# The parties. A node that stands under `peers` in node.toml gives its own entry: its keys, name, role and legal basis.
# For a node that cannot be reached, write the entry out with the keys that `blindmatch keys list` prints there.
"""

_PARTY = """
[[parties]]
agency = "{agency}"
# name = ""
# role = ""
# identity_key = ""      # 64 hexadecimal digits
# certificate_key = ""   # 64 hexadecimal digits
# legal_basis = ""
# contact = ""
"""

_EDGES = """
# The edges. Each is one direction: this receiver learns this disclosure from that sender, and the sender learns
# nothing but sizes. "Both learn" is two edges.
"""

_EDGE = """
[[edges]]
id = "{id}"
# hits: which of its own records the receiver has in common with the sender, and by which keys.
# hits+facts: also the facts named below, for each of those.
disclosure = "{disclosure}"
{facts}
# true: the sender proves with every chunk that it evaluated with one key. Slower.
verified = false
# What each side learns, in words. Left out, the words are made from the fields above and below.
# leakage = ""

# What the match keys of a round are compiled for, besides both lists' sizes and rates.
# overlap: the expected common records as a share of the shorter list. Never overstate it: the keys get looser.
# false_leads: the expected false leads as a share of all leads; 0.05 for clean lists, 0.01 otherwise.
# budget: the most keys; fewer make a round faster and find less. missing: also keys for records that lack a field.
[edges.linkage]
overlap = 0.05
false_leads = 0.01
budget = 80
missing = true

# kind: {kinds}. max_records: the most that may enter.
# tokens_per_record: the most; twice the budget leaves room for two names or dates under every key. Every record is
# padded to one number, so that sizes show the number of records only.
[edges.receiver]
agency = "{receiver}"
kind = "{receiver_kind}"
max_records = {records}
tokens_per_record = {tokens}

[edges.sender]
agency = "{sender}"
kind = "{sender_kind}"
max_records = {records}
tokens_per_record = {tokens}
"""
