"""An agreement on an officer's terminal: every term in words, from the data of `agreements.summary`."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from blindmatch.node.agreements import ExchangeOutcome
from blindmatch.node.cli.common import facts, note

Data = dict[str, Any]

_KEYS_SHOWN = 12


def show(data: Data, *, full: bool = False) -> None:
    """Print everything; edges that differ in their agencies only once, unless `full`."""
    title(data["title"])
    facts(list(_head(data)))
    section("Purpose", data["purpose"])
    typer.echo("\nParties")
    for party in data["parties"]:
        _party(party)
    _schema(data["schema"])
    typer.echo("\nEdges: who learns what from whom")
    _edges(data, full=full)
    for threshold in data["thresholds"]:
        _threshold(threshold)
    if data["standing"]:
        section("Standing", data["standing_learn"])
    why = data.get("why_no_round")
    if why:
        typer.echo(f"\nNo round can start now: {why}")


def title(text: str) -> None:
    """Print a heading."""
    typer.echo(f"{text}\n{'=' * len(text)}")


def section(name: str, text: str) -> None:
    """Print a heading and an indented text."""
    typer.echo(f"\n{name}")
    for line in text.splitlines():
        typer.echo(f"  {line}")


def outcomes(reached: Sequence[ExchangeOutcome], what: str) -> None:
    """Say on stderr who was told, and who was not and why."""
    told = [outcome.agency for outcome in reached if outcome.error is None]
    if told:
        note(f"{what}: {', '.join(told)}")
    for outcome in reached:
        if outcome.error is not None:
            note(f"not reached: {outcome.agency}: {outcome.error.message}")
            if outcome.error.hint:
                note(f"  {outcome.error.hint}")


def outcome_data(reached: Sequence[ExchangeOutcome]) -> list[Data]:
    """The same for JSON."""
    return [
        {"agency": outcome.agency, "error": None if outcome.error is None else outcome.error.message}
        for outcome in reached
    ]


def grouped(key: bytes) -> str:
    """A key's hexadecimal digits in groups of four, to be read out over the telephone."""
    digits = key.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _head(data: Data) -> Iterator[tuple[str, object]]:
    yield "id", data["id"]
    if "state" in data:
        yield "state", data["state"]
    yield "marking", f"up to {data['marking']}"
    yield "handling codes", f"{', '.join(data['handling_codes'])}; graded records with another code stay out"
    yield "valid", f"from {_time(data['not_before'])} until {_time(data['expires'])}"
    yield "rounds", f"at most {data['rounds_budget']}, {data['calendar']}"
    yield "retention", f"leads are erased after {data['retention_days']} days"
    if standing := data["standing"]:
        checked = standing["checks_per_day"]
        yield (
            "standing",
            f"a key serves at most {standing['epoch_days']} days; "
            + (f"at most {checked} checks a day and edge" if checked else "no checks of single records"),
        )
    if data["collector"]:
        yield "collector", data["collector"]
    yield "suite", data["suite"]


def _party(party: Data) -> None:
    mark = "signed" if party["signed"] else "NOT SIGNED"
    for how in ("declined", "withdrawn"):
        if word := party.get(how):
            reason = f": {_indented(word['reason'], 4)}" if word["reason"] else ""
            mark = f"{how.upper()} on {_time(word['at'])}{reason}"
    own = " (this node)" if party.get("own") else ""
    typer.echo(f"  {party['agency']}{own}: {party['name']}, {party['role']} - {mark}{_reached(party)}")
    typer.echo(f"    legal basis      {_indented(party['legal_basis'], 21)}")
    if party["contact"]:
        typer.echo(f"    contact          {_indented(party['contact'], 21)}")
    typer.echo(f"    identity key     {grouped(party['identity_key'])}")
    typer.echo(f"    certificate key  {grouped(party['certificate_key'])}")


def _reached(party: Data) -> str:
    """What a reader should know of the way to a party: nothing, when it was reached the last time."""
    reached = party.get("reached")
    if reached is None or not reached["error"]:
        return ""
    since = f"since {_time(reached['at'])}" if reached["at"] else "yet"
    return f"; not reached {since}: {reached['error']}"


def _schema(schema: Data) -> None:
    typer.echo(f"\nLinkage schema {schema['name']}, digest {schema['digest']}")
    if not schema["known"]:
        typer.echo("  THIS NODE DOES NOT HAVE THIS SCHEMA: it cannot sign or run a round.")
    if schema["compared"]:
        typer.echo(f"  compares {', '.join(schema['compared'])}")


def _edges(data: Data, *, full: bool) -> None:
    """Each kind of edge once, and what this node brings to its own; or every edge."""
    by_id = {edge["id"]: edge for edge in data["edges"]}
    for group in data["alike"]:
        edges = [by_id[name] for name in group["edges"]]
        if full or len(edges) == 1:
            for edge in edges:
                _edge(edge, data["rounds_budget"])
        else:
            _group(group, edges, data["rounds_budget"])


def _group(group: Data, edges: Sequence[Data], budget: int) -> None:
    receivers, senders, first = group["receivers"], group["senders"], edges[0]
    if set(receivers) == set(senders) and group["whole"]:
        typer.echo(
            f"  Every one of {len(receivers)} agencies from every other: {len(edges)} edges, all alike"
        )
        _names("agencies", receivers)
    elif group["whole"]:
        typer.echo(
            f"  {_counted(receivers, 'receiver')}, each from {_counted(senders, 'sender')}: {len(edges)} edges, all alike"
        )
        _names("receiver", receivers)
        _names("sender", senders)
    else:
        typer.echo(f"  {len(edges)} edges, all alike")
        for receiver, named in group["senders_of"].items():
            _names("", [f"{receiver} from {', '.join(named)}"])
    for role in ("receiver", "sender"):
        _side(f"each {role}", first[role])
    _terms(first)
    _learns({**group, "leakage_is_usual": first["leakage_is_usual"], "leakage": first["leakage"]})
    own = [edge for edge in edges if edge.get("collection") is not None]
    for part in _by_own_side(own) or [list(edges)]:
        shown = part[0]
        if len(part) < len(edges):
            _names("ours", [edge["id"] for edge in part])
        if shown["forecast"] is not None:
            _forecast(shown["forecast"])
        for warning in shown["warnings"]:
            typer.echo(f"    WARNING  {warning}")
        if "rounds_used" in shown:
            used = sorted({edge["rounds_used"] for edge in part})
            typer.echo(
                f"    used     {'-'.join(map(str, used[:: len(used) - 1 or 1]))} of {budget} rounds each"
            )
        _brought(shown)


def _by_own_side(edges: Sequence[Data]) -> list[list[Data]]:
    """This node's edges by what it brings to them, as receiver or as sender."""
    found: dict[str, list[Data]] = {}
    for edge in edges:
        own = (edge["forecast"] or {}).get("own", "")
        collection = {name: value for name, value in edge["collection"].items() if name != "hint"}
        found.setdefault(f"{own} {collection} {edge['warnings']}", []).append(edge)
    return list(found.values())


def _counted(names: Sequence[str], what: str) -> str:
    return f"1 {what}" if len(names) == 1 else f"{len(names)} {what}s"


def _names(label: str, names: Sequence[str]) -> None:
    lines = textwrap.wrap(", ".join(names), 100, break_long_words=False, break_on_hyphens=False)
    for index, line in enumerate(lines):
        typer.echo(f"    {label if index == 0 else '':<8} {line}")


def _edge(edge: Data, budget: int) -> None:
    typer.echo(f"  {edge['id']}")
    for role in ("receiver", "sender"):
        _side(f"{role:<8} {edge[role]['agency']}", edge[role])
    _terms(edge)
    _learns(edge)
    if edge["forecast"] is not None:
        _forecast(edge["forecast"])
    for warning in edge["warnings"]:
        typer.echo(f"    WARNING  {warning}")
    if "rounds_used" in edge:
        typer.echo(f"    used     {edge['rounds_used']} of {budget} rounds")
    _brought(edge)


def _side(label: str, side: Data) -> None:
    typer.echo(
        f"    {label}: at most {side['max_records']:,} {side['collection_kind']}, "
        f"padded to one number of tokens, at most {side['tokens_per_record']}"
    )


def _terms(edge: Data) -> None:
    number = (
        f"; nothing below {edge['minimum_count']:,} matches, in steps of {edge['band']:,}"
        if edge["band"]
        else ""
    )
    verified = "; evaluation is proven with every chunk" if edge["verified"] else ""
    typer.echo(f"    reveals  {edge['disclosure']}{number}{verified}")
    if edge["facts"]:
        typer.echo(f"    facts    {', '.join(edge['facts'])}; padded to {edge['fact_bytes']} bytes")
    typer.echo(f"    keys     {_linkage(edge['linkage'])}")


def _learns(edge: Data) -> None:
    typer.echo(f"    learns   {edge['receiver_learns']}")
    typer.echo(f"             {edge['sender_learns']}")
    typer.echo(f"             {edge['both_learn']}")
    if not edge["leakage_is_usual"]:
        typer.echo(f"    signed   {_indented(edge['leakage'], 13)}")


def _brought(edge: Data) -> None:
    """What this node brings to an edge."""
    collection = edge.get("collection")
    if collection is None:
        return
    name = collection["name"]
    text = f"{name}, {collection['records']:,} records" if name else f"none yet: {collection['problem']}"
    typer.echo(f"    we bring {text}")
    if lacking := collection.get("facts_missing"):
        typer.echo(f"    WARNING  {name} has no fact {', '.join(lacking)}; nothing goes out under that name")


def _threshold(threshold: Data) -> None:
    typer.echo(f"  {threshold['id']}")
    for side in threshold["members"]:
        _side(f"member   {side['agency']}", side)
    typer.echo(
        f"    reveals  what at least {threshold['at_least']} of them share; nothing below "
        f"{threshold['minimum_count']:,} shared keys"
    )
    typer.echo(f"    keys     {_linkage(threshold['linkage'])}")
    _learns(
        {
            **threshold,
            "receiver_learns": threshold["member_learns"],
            "sender_learns": threshold["collector_learns"],
        }
    )


def _forecast(ahead: Data) -> None:
    """What a round would give."""
    if "problem" in ahead:
        return  # a warning says it
    tokens = ahead["tokens"]
    records = ahead["records"]
    lists = (
        f"for our list of {records[ahead['own']]:,} and a full, typical one on the other side"
        if ahead["own"]
        else "if both lists are full and typical"
    )
    typer.echo(
        f"    expected {lists}: {len(ahead['keys'])} keys; "
        f"{tokens['receiver']} and {tokens['sender']} tokens per record"
    )
    typer.echo(
        f"             {_figure(ahead['expected_true'])} true leads ({ahead['recall']:.0%} of the common records) "
        f"and {_figure(ahead['expected_false'])} false ones"
    )
    typer.echo("             expected chance matches by key:")
    for key in ahead["keys"][:_KEYS_SHOWN]:
        typer.echo(f"      {_figure(key['chance_matches']):>10}  {key['words']}")
    if len(ahead["keys"]) > _KEYS_SHOWN:
        typer.echo(f"                  and {len(ahead['keys']) - _KEYS_SHOWN} more; --json has them all")


def _linkage(linkage: Data) -> str:
    missing = (
        "also for records that lack a field" if linkage["missing"] else "none for records that lack a field"
    )
    return (
        f"at most {linkage['budget']}, compiled for each round, {missing}; of all leads {linkage['false_leads']:.2%} "
        f"may be false, when {linkage['overlap']:.2%} of the shorter list stand in both"
    )


def _figure(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value >= 0.01 else "under 0.01"


def _time(text: str) -> str:
    return text.replace("T", " ").replace("+00:00", " UTC")


def _indented(text: str, columns: int) -> str:
    return ("\n" + " " * columns).join(text.splitlines())
