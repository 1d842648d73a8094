"""The commented TOML file that an officer edits into an agreement. The comments are the help of the field table."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from blindmatch.node.agreements.draft import edge_id
from blindmatch.node.agreements.fields import draft_fields, draft_value, term_fields
from blindmatch.node.agreements.patterns import (
    Choices,
    Pattern,
    PatternGroup,
    agencies,
    check_choices,
    member_kind,
    pattern_groups,
)
from blindmatch.protocol.agreement import LEAST_MINIMUM
from blindmatch.protocol.agreement.field_types import OneOf
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
    check_choices(choices)
    explained: set[str] = set()
    lines = [*_HEAD, *_agreement(choices, now), *_parties(choices)]
    comparisons = pattern_groups(choices)
    if comparisons:
        lines += ["", *_comment(draft_fields("")["edges"].help)]
    for group in comparisons:
        lines += _edges(choices, group, explained)
    if choices.at_least:
        lines += _threshold(choices, explained)
    return "\n".join(lines) + "\n"


def _agreement(choices: Choices, now: float) -> list[str]:
    """The fields of the agreement itself, and what makes it a standing one."""
    budget, calendar, advice = _rounds(choices)
    today = datetime.fromtimestamp(now, UTC).date()
    values = {
        "title": '""',
        "purpose": '"""\n"""',
        "schema": draft_value(choices.schema),
        "marking": '"OFFICIAL-SENSITIVE"',
        "handling_codes": '["P"]',
        "not_before": today.isoformat(),
        "expires": (today + timedelta(days=_DAYS)).isoformat(),
        "rounds_budget": str(budget),
        "calendar": draft_value(calendar),
        "retention_days": "90",
    }
    more = {"schema": f"Known here: {', '.join(schema_names())}.", "rounds_budget": advice}
    lines = []
    for name, value in values.items():
        lines += ["", *_field("", name, value, set(), more.get(name, ""))]
    collector = f"collector = {draft_value(choices.collector)}" if choices.collector else '# collector = ""'
    lines += ["", *_comment(draft_fields("")["collector"].help), collector]
    if choices.epoch_days:
        lines += ["", *_comment(draft_fields("")["standing"].help), "[standing]"]
        lines += _field("standing", "epoch_days", str(choices.epoch_days), set())
        lines += _field("standing", "checks_per_day", str(choices.checks_per_day), set())
    return lines


def _parties(choices: Choices) -> list[str]:
    names = agencies(choices)
    lines = ["", *_comment(draft_fields("")["parties"].help), *_comment(_PARTIES)]
    if len(names) <= _WRITTEN_OUT:
        for agency in names:
            lines += ["", "[[parties]]", f"agency = {draft_value(agency)}", *_entry()]
        return lines
    lines += _comment(
        f"All {len(names)} agencies below are parties without being listed here. An entry that is written out:"
    )
    return [*lines, "# [[parties]]", f"# agency = {draft_value(names[0])}", *_entry()]


def _entry() -> list[str]:
    """The fields of a party that its node states itself."""
    fields = list(draft_fields("parties").values())[1:]
    keys = ("identity_key", "certificate_key")
    return [
        f'# {field.name} = ""' + (f"   # {field.type.allowed}" if field.name in keys else "")
        for field in fields
    ]


def _edges(choices: Choices, group: PatternGroup, explained: set[str]) -> list[str]:
    one = len(group.receivers) == len(group.senders) == 1
    lines = ["", "[[edges]]"]
    if one:
        lines.append(f"id = {draft_value(edge_id(group.receivers[0], group.senders[0]))}")
    lines += _field("edges", "disclosure", draft_value(choices.disclosure.value), explained)
    values = {
        "facts": ("contract_reference",),
        "value": choices.value,
        "decimals": choices.decimals,
        "minimum_count": choices.minimum,
        "band": choices.band,
        "report_to": tuple(choices.report_to),
    }
    for field in term_fields(choices.disclosure):
        value = values.get(field.name, field.default)
        if value != ():
            lines += [*_once(field.name, field.help, explained), f"{field.name} = {draft_value(value)}"]
    if one:
        lines += _field("edges", "leakage", '""', explained, optional=True)
    lines += _linkage(explained)
    advice = _REQUEST if choices.pattern is Pattern.REQUEST else ""
    for role, names, kind, records in (
        ("receiver", group.receivers, group.receiver_kind, group.receiver_records),
        ("sender", group.senders, group.sender_kind, group.sender_records),
    ):
        section = "edges.receiver"  # both sides have its fields
        lines += [f"[edges.{role}]", f"agency = {_agencies(names)}"]
        lines += _field(section, "kind", draft_value(kind), explained)
        lines += _field(section, "max_records", str(records), explained, advice)
        lines += _field(section, "tokens_per_record", str(choices.tokens_per_record), explained)
    return lines


def _linkage(explained: set[str]) -> list[str]:
    fields = draft_fields("edges.linkage").values()
    table = ", ".join(f"{field.name} = {draft_value(field.default)}" for field in fields)
    lines = _once("linkage", draft_fields("edges")["linkage"].help, explained)
    for field in fields:
        lines += _once(f"linkage.{field.name}", f"{field.name}: {field.help}", explained)
    return [*lines, f"linkage = {{ {table} }}"]


def _threshold(choices: Choices, explained: set[str]) -> list[str]:
    lines = ["", *_comment(draft_fields("")["thresholds"].help), "[[thresholds]]", 'id = "shared"']
    minimum = max(choices.minimum, LEAST_MINIMUM)
    for name, value in (("at_least", choices.at_least), ("minimum_count", minimum), ("band", choices.band)):
        lines += _field("thresholds", name, str(value), set())
    lines += _linkage(explained)
    members = (
        f"    {{ agency = {draft_value(agency)}, kind = {draft_value(member_kind(choices))}, "
        f"max_records = {choices.max_records}, tokens_per_record = {choices.tokens_per_record} }},"
        for agency in dict.fromkeys(choices.members)
    )
    return [
        *lines,
        *_once("members", draft_fields("thresholds")["members"].help, explained),
        "members = [",
        *members,
        "]",
    ]


def _rounds(choices: Choices) -> tuple[int, str, str]:
    """Budget and calendar, and what to consider when choosing them."""
    if choices.pattern is Pattern.REQUEST:
        return 100, "on-demand", _BUDGET_OF_REQUESTS
    if choices.epoch_days:
        return 60, "weekly", _BUDGET_OF_STANDING
    return 12, "on-demand", _BUDGET


def _agencies(names: Sequence[str]) -> str:
    """One name, or a list over as many lines as it takes."""
    if len(names) == 1:
        return draft_value(names[0])
    inline = draft_value(tuple(names))
    if len(inline) <= _WIDTH:
        return inline
    lines = textwrap.wrap(inline[1:-1] + ",", _WIDTH - 4, break_on_hyphens=False)
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])


def _field(
    section: str, name: str, value: str, explained: set[str], more: str = "", *, optional: bool = False
) -> list[str]:
    """A field with its help, once, and after it what else there is to consider."""
    field = draft_fields(section)[name]
    allowed = f" One of: {field.type.allowed}." if isinstance(field.type, OneOf) else ""
    lines = _once(f"{section}.{name}", f"{field.help}{allowed} {more}".strip(), explained)
    return [*lines, f"{'# ' if optional else ''}{name} = {value}"]


def _once(name: str, text: str, explained: set[str]) -> list[str]:
    """The comment, unless it was written before."""
    if name in explained:
        return []
    explained.add(name)
    return _comment(text)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False)]


_HEAD = (
    "# A draft agreement. Edit it, then run: blindmatch agreement draft FILE",
    "# It binds nobody until every party has signed the same bytes: blindmatch agreement sign ID",
)

_BUDGET = "Every round discloses, so keep the budget as small as the purpose allows."
_BUDGET_OF_REQUESTS = (
    "Every request is a round: with the budget, and with max_records of the agency that asks, the parties bound how many "
    "names can be asked for."
)
_BUDGET_OF_STANDING = (
    "Later rounds of an epoch send what changed, and count like any other; checks of single records have a limit of "
    "their own."
)

_PARTIES = (
    "A node that is listed under `peers` in node.toml gives its own entry: its keys, name, role and legal basis. For a node "
    "that cannot be reached, write the entry out with the keys that `blindmatch keys list` prints there."
)

_REQUEST = (
    "The agency that asks compares few records: a small number keeps a request from becoming a trawl. A request of one "
    "name shows the others that one name was asked for, never whose."
)
