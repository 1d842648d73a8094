"""Agreements as TOML drafts, in the form that an officer writes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from blindmatch.simulations.scenario.plan import ExchangePlan, PlannedEdge, PlannedSide, PlannedThreshold
from blindmatch.simulations.scenario.scenario import AgreementTerms, Area

FACT_BYTES = 192
"""Room for the facts of two contracts."""

ROOM = 2
"""The limit of records in an agreement, as a multiple of a side's records: sizes change between signing and the round."""


def draft_text(
    terms: AgreementTerms, area: Area, plan: ExchangePlan, records: Mapping[str, int], now: float
) -> str:
    """The draft of one agreement.

    Args:
        terms: the scenario's.
        area: the area of the agreement; its name can appear in title and purpose.
        plan: the comparisons.
        records: by list, for the sizes.
        now: seconds since 1970; the agreement starts a day before, to allow for differences between clocks.
    """
    exchange = plan.exchange
    today = datetime.fromtimestamp(now, UTC).date()
    lines = [
        f"title = {_quoted((exchange.title or terms.title).format(area=area.name))}",
        f"purpose = {_quoted((exchange.purpose or terms.purpose).format(area=area.name))}",
        f"schema = {_quoted(terms.linkage_schema)}",
        f"marking = {_quoted(terms.marking)}",
        f"handling_codes = {_listed(terms.handling_codes)}",
        f"not_before = {today - timedelta(days=1)}",
        f"expires = {today + timedelta(days=terms.days)}",
        f"rounds_budget = {exchange.rounds_budget or terms.rounds_budget}",
        'calendar = "on-demand"',
        f"retention_days = {terms.retention_days}",
    ]
    if exchange.collector:
        lines.append(f"collector = {_quoted(exchange.collector)}")
    if exchange.standing is not None:
        lines += ["[standing]", f"epoch_days = {exchange.standing.epoch_days}"]
        lines.append(f"checks_per_day = {exchange.standing.checks_per_day}")
    for agency in plan.parties:
        lines += ["[[parties]]", f"agency = {_quoted(agency)}"]
    for edge in plan.edges:
        lines += ["", *_edge(terms, edge, records)]
    for threshold in plan.thresholds:
        lines += ["", *_threshold(terms, threshold, records)]
    return "\n".join(lines) + "\n"


def _edge(terms: AgreementTerms, edge: PlannedEdge, records: Mapping[str, int]) -> list[str]:
    group = edge.group
    lines = ["[[edges]]", f"id = {_quoted(edge.id)}", f"disclosure = {_quoted(group.disclosure)}"]
    lines.append(f"verified = {str(group.verified).lower()}")
    if group.disclosure == "hits+facts":
        lines += [f"facts = {_listed(terms.facts)}", f"fact_bytes = {FACT_BYTES}"]
    if group.number:
        lines += [f"minimum_count = {group.minimum}", f"band = {group.band}"]
        lines += [f"value = {_quoted(group.value)}"] if group.value else []
        lines += [f"report_to = {_listed(edge.recipients)}"] if edge.recipients else []
    lines += _linkage("edges", terms, group.overlap)
    for role, end in (("receiver", edge.receiver), ("sender", edge.sender)):
        lines += [f"[edges.{role}]", *_side(terms, end, records)]
    return lines


def _threshold(terms: AgreementTerms, threshold: PlannedThreshold, records: Mapping[str, int]) -> list[str]:
    joint = threshold.group
    lines = ["[[thresholds]]", f"id = {_quoted(joint.id)}", f"at_least = {joint.at_least}"]
    lines += [f"minimum_count = {joint.minimum}", f"band = {joint.band}"]
    lines += _linkage("thresholds", terms, None)
    for member in threshold.members:
        lines += ["[[thresholds.members]]", *_side(terms, member, records)]
    return lines


def _linkage(table: str, terms: AgreementTerms, overlap: float | None) -> list[str]:
    return [
        f"[{table}.linkage]",
        f"overlap = {terms.overlap if overlap is None else overlap}",
        f"false_leads = {terms.false_leads}",
        f"budget = {terms.budget}",
    ]


def _side(terms: AgreementTerms, end: PlannedSide, records: Mapping[str, int]) -> list[str]:
    return [
        f"agency = {_quoted(end.agency)}",
        f"kind = {_quoted(end.kind)}",
        f"max_records = {ROOM * records[end.list]}",
        f"tokens_per_record = {terms.tokens[end.kind]}",
    ]


def _quoted(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(value) for value in values)}]"
