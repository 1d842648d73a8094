"""The commented TOML file that an officer edits into an agreement. The comments are the help of the field table."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from blindmatch.node.agreements.draft import edge_id
from blindmatch.node.agreements.fields import draft_fields, draft_value
from blindmatch.node.agreements.patterns import (
    Choices,
    Pattern,
    PatternGroup,
    agencies,
    check_choices,
    member_kind,
    pattern_groups,
)
from blindmatch.protocol.agreement import (
    EDGE_TERMS,
    LEAST_MINIMUM,
    Agreement,
    Edge,
    Linkage,
    Party,
    Side,
    Standing,
)
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
        ConfigError, AgreementError: see `patterns.check_choices`.
    """
    check_choices(choices)
    page = _Page(choices)
    page.agreement(now)
    page.parties()
    groups = pattern_groups(choices)
    if groups:
        page.heading("edges")
    for group in groups:
        page.edges(group)
    if choices.at_least:
        page.threshold()
    return "\n".join(page.lines) + "\n"


class _Page:
    """The lines of a draft. Every comment is written once."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._written: set[str] = set()
        self.lines = list(_HEAD)

    def agreement(self, now: float) -> None:
        """The fields of the agreement itself, and what makes it a standing one."""
        choices = self._choices
        budget, calendar, advice = _rounds(choices)
        today = datetime.fromtimestamp(now, UTC).date()
        values = {
            "title": "",
            "purpose": "",
            "schema": choices.schema,
            "marking": "OFFICIAL-SENSITIVE",
            "handling_codes": ("P",),
            "not_before": today,
            "expires": today + timedelta(days=_DAYS),
            "rounds_budget": budget,
            "calendar": calendar,
            "retention_days": 90,
            "collector": choices.collector,
        }
        more = {"schema": f"Known here: {', '.join(schema_names())}.", "rounds_budget": advice}
        for name, value in values.items():
            self.lines.append("")
            text = '"""\n"""' if name == "purpose" else draft_value(value)
            self._field(
                Agreement, name, text, more.get(name, ""), optional=value == "" and name == "collector"
            )
        if choices.epoch_days:
            self.heading("standing")
            self.lines.append("[standing]")
            self._field(Standing, "epoch_days", str(choices.epoch_days))
            self._field(Standing, "checks_per_day", str(choices.checks_per_day))

    def parties(self) -> None:
        """The parties, with the fields that a party's node states itself."""
        self.heading("parties")
        self._comment(_PARTIES)
        names, mark = agencies(self._choices), ""
        if len(names) > _WRITTEN_OUT:
            count = f"All {len(names)} agencies below are parties without being listed here."
            self._comment(f"{count} An entry that is written out:")
            names, mark = names[:1], "# "
        for name in names:
            self.lines += [] if mark else [""]
            self.lines += [f"{mark}[[parties]]", f"{mark}agency = {draft_value(name)}"]
            for field in list(draft_fields(Party).values())[1:]:
                digits = f"   # {field.type.allowed}" if field.name.endswith("_key") else ""
                self.lines.append(f'# {field.name} = ""{digits}')

    def edges(self, group: PatternGroup) -> None:
        """The table of a group of edges."""
        choices = self._choices
        one = len(group.receiver.agencies) == len(group.sender.agencies) == 1
        self.lines += ["", "[[edges]]"]
        if one:
            name = edge_id(group.receiver.agencies[0], group.sender.agencies[0])
            self.lines.append(f"id = {draft_value(name)}")
        self._field(Edge, "disclosure", draft_value(choices.disclosure.value))
        values = {
            "facts": ("contract_reference",),
            "value": choices.value,
            "decimals": choices.decimals,
            "minimum_count": choices.minimum,
            "band": choices.band,
            "report_to": tuple(choices.report_to),
        }
        terms = EDGE_TERMS[choices.disclosure]
        for field in draft_fields(terms).values():
            value = values.get(field.name, field.default)
            if value != ():
                self._field(terms, field.name, draft_value(value))
        if one:
            self._field(Edge, "leakage", '""', optional=True)
        self._linkage()
        advice = _REQUEST if choices.pattern is Pattern.REQUEST else ""
        for role, side in (("receiver", group.receiver), ("sender", group.sender)):
            self.lines += [f"[edges.{role}]", f"agency = {_agencies(side.agencies)}"]
            self._field(Side, "kind", draft_value(side.kind))
            self._field(Side, "max_records", str(side.records), advice)
            self._field(Side, "tokens_per_record", str(choices.tokens_per_record))

    def threshold(self) -> None:
        """The table of the threshold."""
        choices, kind = self._choices, draft_fields(Agreement)["thresholds"].nested
        self.heading("thresholds")
        self.lines += ["[[thresholds]]", 'id = "shared"']
        self._field(kind, "at_least", str(choices.at_least))
        self._field(kind, "minimum_count", str(max(choices.minimum, LEAST_MINIMUM)))
        self._field(kind, "band", str(choices.band))
        self._linkage()
        members = [
            f"    {{ agency = {draft_value(agency)}, kind = {draft_value(member_kind(choices))}, "
            f"max_records = {choices.max_records}, tokens_per_record = {choices.tokens_per_record} }},\n"
            for agency in dict.fromkeys(choices.members)
        ]
        self._field(kind, "members", f"[\n{''.join(members)}]")

    def heading(self, name: str) -> None:
        """What the tables are that follow."""
        self.lines.append("")
        self._comment(draft_fields(Agreement)[name].help)

    def _linkage(self) -> None:
        self._comment(draft_fields(Edge)["linkage"].help)
        fields = draft_fields(Linkage).values()
        for field in fields:
            self._comment(f"{field.name}: {field.help}")
        table = ", ".join(f"{field.name} = {draft_value(field.default)}" for field in fields)
        self.lines.append(f"linkage = {{ {table} }}")

    def _field(self, kind: Any, name: str, text: str, more: str = "", *, optional: bool = False) -> None:
        """A field with its help, and after it what else there is to consider. An optional one is commented out."""
        field = draft_fields(kind)[name]
        allowed = f" One of: {field.type.allowed}." if isinstance(field.type, OneOf) else ""
        self._comment(f"{field.help}{allowed} {more}".strip())
        self.lines.append(f"{'# ' if optional else ''}{name} = {text}")

    def _comment(self, text: str) -> None:
        """A comment, unless it was written before."""
        if text not in self._written:
            self._written.add(text)
            self.lines += [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False)]


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
