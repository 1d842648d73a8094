"""The commented TOML file that an officer edits into an agreement. Explained is what the choices need, once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from blindmatch.node.agreements.draft import edge_id
from blindmatch.node.agreements.patterns import (
    Choices,
    Group,
    Pattern,
    agencies,
    check,
    groups,
    member_kind,
)
from blindmatch.protocol.agreement import (
    CALENDARS,
    EDGE_TERMS,
    HANDLING_CODES,
    KINDS,
    LEAST_MINIMUM,
    MARKINGS,
)
from blindmatch.protocol.linkage.schema import schema_names

__all__ = ["Choices", "Pattern", "template"]

_DAYS = 180
_WRITTEN_OUT = 4
"""Parties that get a table each; more are named by the edges alone, and one example stands for all."""
_WIDTH = 110


def template(choices: Choices, now: float) -> str:
    """A complete draft with an explanation above every field; `now` is in seconds since 1970.

    Raises:
        ConfigError, AgreementError: see `patterns.check`.
    """
    check(choices)
    today = datetime.fromtimestamp(now, UTC).date()
    budget, calendar, why = _rounds(choices)
    head = _HEAD.format(
        schema=choices.schema,
        schemas=_either(schema_names()),
        markings=", ".join(MARKINGS),
        codes=_either(HANDLING_CODES),
        calendars=_either(CALENDARS),
        today=today.isoformat(),
        later=(today + timedelta(days=_DAYS)).isoformat(),
        budget=budget,
        calendar=calendar,
        why=why,
        collector=_COLLECTOR.format(choices.collector) if choices.collector else _NO_COLLECTOR,
        standing=_STANDING.format(days=choices.epoch_days, checks=choices.checks_per_day)
        if choices.epoch_days
        else "",
    )
    made = groups(choices)
    edges = "".join(_edges(choices, group, first=group is made[0]) for group in made)
    return head + _parties(choices) + (_EDGES + edges if edges else "") + _threshold(choices)


def _parties(choices: Choices) -> str:
    named = agencies(choices)
    if len(named) <= _WRITTEN_OUT:
        return _PARTIES + "".join(_PARTY.format(agency=agency) for agency in named)
    example = _PARTY.format(agency=named[0]).strip().replace('agency = "', '# agency = "')
    return _PARTIES + _MANY.format(count=len(named), example=example.replace("[[", "# [["))


def _edges(choices: Choices, group: Group, *, first: bool) -> str:
    one = len(group.receivers) == len(group.senders) == 1
    lines = ["", "[[edges]]"]
    if one:
        lines.append(f'id = "{edge_id(group.receivers[0], group.senders[0])}"')
    lines += [*_explained(_DISCLOSURE, wanted=first), f'disclosure = "{choices.disclosure.value}"']
    if "facts" in EDGE_TERMS[choices.disclosure].names():
        lines += ['facts = ["contract_reference"]', "fact_bytes = 256"]
    if EDGE_TERMS[choices.disclosure].discloses_number:
        lines += _number(choices, explained=first)
    else:
        lines += [*_explained(_VERIFIED, wanted=first), "verified = false"]
    lines += [*_explained(_LEAKAGE if one else "", wanted=first), *_linkage(first)]
    lines += _explained(_SIDES.format(kinds=_either(KINDS)) + _ADVICE.get(choices.pattern, ""), wanted=first)
    for role, named, kind, records in (
        ("receiver", group.receivers, group.receiver_kind, group.receiver_records),
        ("sender", group.senders, group.sender_kind, group.sender_records),
    ):
        lines += [
            f"[edges.{role}]",
            f"agency = {_agencies(named)}",
            f'kind = "{kind}"',
            f"max_records = {records}",
            f"tokens_per_record = {choices.tokens_per_record}",
        ]
    return "\n".join(lines) + "\n"


def _number(choices: Choices, *, explained: bool) -> list[str]:
    """The terms of a count or a sum."""
    total = EDGE_TERMS[choices.disclosure].reads_values
    lines = []
    if total:
        lines += [*_explained(_VALUE, wanted=explained), f'value = "{choices.value}"']
        lines.append(f"decimals = {choices.decimals}")
    lines += _explained(_MINIMUM.format(least=LEAST_MINIMUM), wanted=explained)
    lines += [f"minimum_count = {choices.minimum}"]
    lines += [*_explained(_BAND_OF_SUM if total else _BAND, wanted=explained), f"band = {choices.band}"]
    if choices.report_to:
        lines += [
            *_explained(_REPORT, wanted=explained),
            f"report_to = {_agencies(choices.report_to, one=False)}",
        ]
    return lines


def _linkage(explained: bool) -> list[str]:
    terms = "linkage = { overlap = 0.05, false_leads = 0.01, budget = 80, missing = true }"
    return [*_explained(_LINKAGE, wanted=explained), terms]


def _threshold(choices: Choices) -> str:
    if not choices.at_least:
        return ""
    kind = member_kind(choices)
    members = "".join(
        f'    {{ agency = "{agency}", kind = "{kind}", max_records = {choices.max_records}, '
        f"tokens_per_record = {choices.tokens_per_record} }},\n"
        for agency in dict.fromkeys(choices.members)
    )
    linkage = "\n".join(_linkage(not groups(choices)))
    minimum = max(choices.minimum, LEAST_MINIMUM)
    return _THRESHOLD.format(
        at_least=choices.at_least,
        minimum=minimum,
        band=choices.band,
        linkage=linkage,
        members=members,
        kinds=_either(KINDS),
    )


def _rounds(choices: Choices) -> tuple[int, str, str]:
    """Budget and calendar, and what to think of when choosing them."""
    if choices.pattern is Pattern.REQUEST:
        return 100, "on-demand", _BUDGET_OF_REQUESTS
    if choices.epoch_days:
        return 60, "weekly", _BUDGET_OF_STANDING
    return 12, "on-demand", _BUDGET


def _agencies(named: Sequence[str], *, one: bool = True) -> str:
    """One name, or a list over as many lines as it takes."""
    quoted = [f'"{name}"' for name in named]
    if one and len(quoted) == 1:
        return quoted[0]
    lines, line = [], "   "
    for each in quoted:
        if len(line) + len(each) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {each},"
    inline = f"[{', '.join(quoted)}]"
    return inline if len(inline) <= _WIDTH else "\n".join(["[", *lines, line, "]"])


def _explained(text: str, *, wanted: bool) -> list[str]:
    return [f"# {line}" for line in text.strip().splitlines()] if wanted else []


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

# How many rounds may be run over each edge. {why}
rounds_budget = {budget}

# When: {calendars}. `once` needs a budget of 1.
calendar = "{calendar}"

# Leads are erased from the receiver's node after this many days.
retention_days = 90
{collector}{standing}"""

_BUDGET = "Every round discloses, so keep it as small as the purpose allows."
_BUDGET_OF_REQUESTS = """Every request is a round: with it, and with max_records of who asks,
# the parties bound how many names can be asked for."""
_BUDGET_OF_STANDING = """Later rounds of an epoch send what changed, and count like any other;
# checks of single records have a limit of their own."""

_NO_COLLECTOR = """
# The agency that collects across parties, where a disclosure needs one. Leave it out for hits.
# collector = ""
"""

_COLLECTOR = """
# The agency that collects across the threshold's members. It may be one of them, better none.
collector = "{}"
"""

_STANDING = """
# A standing agreement: the parties compare again and again under keys that serve one epoch, and only what changed travels.
# epoch_days: how long a key serves at most. checks_per_day: single records per edge and day, for `check`; 0: none.
[standing]
epoch_days = {days}
checks_per_day = {checks}
"""

_PARTIES = """
# The parties. A node that stands under `peers` in node.toml gives its own entry: its keys, name, role and legal basis.
# For a node that cannot be reached, write the entry out with the keys that `blindmatch keys list` prints there.
"""

_MANY = """\
# All {count} that stand below are parties without being listed here. One that is written out looks like this:
{example}
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
# nothing but sizes, unless it is a count or a sum. "Both learn" is two edges. A table in which `agency` is a list stands
# for many edges with these terms: every receiver learns from every sender but itself.
"""

_DISCLOSURE = """\
hits: which of its own records the receiver has in common with the sender, and by which keys.
hits+facts: also the facts named below, for each of those.
count: how many of its own records match, not which. sum: what a fact of the sender's adds up to, over its matching records.
"""

_VERIFIED = """\
true: the sender proves with every chunk that it evaluated with one key. Slower.
"""

_VALUE = """\
The sender's fact that is added up, as its import names it, and how many digits after its point count.
"""

_MINIMUM = """\
Fewer matching records than this, and the receiver learns only that there are fewer. At least {least}: a result about one
or two people is a result about them.
"""

_BAND = """\
The count is told in steps of this, rounded down; 1 tells it exactly. Two exact counts of lists that differ in one
person tell of that person: where rounds repeat, take 5 or 10.
"""

_BAND_OF_SUM = """\
Every value is rounded to a multiple of this before it is added, in its smallest unit: 100000 with two decimals is
1,000 pounds. 1 adds exactly; one unusual value can then be told from the sum.
"""

_REPORT = """\
Agencies to which the receiver passes the result on. They are parties: they sign too.
"""

_LEAKAGE = """\
What each side learns, in words. Left out, the words are made from the fields above and below.
leakage = ""
"""

_LINKAGE = """\
What the match keys of a round are compiled for, besides both lists' sizes and rates.
overlap: the expected common records as a share of the shorter list. Never overstate it: the keys get looser.
false_leads: the expected false leads as a share of all leads; 0.05 for clean lists, 0.01 otherwise.
budget: the most keys; fewer make a round faster and find less. missing: also keys for records that lack a field.
"""

_SIDES = """\
kind: {kinds}. max_records: the most that may enter.
tokens_per_record: the most; twice the budget leaves room for two names or dates under every key. Every record is
padded to one number, so that sizes show the number of records only.
"""

_ADVICE = {
    Pattern.REQUEST: """\
Who asks brings few records: a small max_records there keeps a request from becoming a trawl. A request of one name
shows the others that one name was asked for, never whose.
"""
}

_THRESHOLD = """
# What at least so many of these agencies hold. Each learns which of its own records are among it, not of whom else; the
# collector learns how many there are. Nobody learns anything of what fewer of them hold.
[[thresholds]]
id = "shared"
at_least = {at_least}
# Fewer shared keys than this, and nobody is told anything. band: the collector's number is told in steps of this.
minimum_count = {minimum}
band = {band}
{linkage}
# kind: {kinds}.
members = [
{members}]
"""
