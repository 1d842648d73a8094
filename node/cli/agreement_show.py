"""An agreement on an officer's terminal: every term in words, from the data of `operations.agreements.show`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from blindmatch.node.cli.output import SHORT, facts, note

if TYPE_CHECKING:
    from blindmatch.node.operations.agreements import AgreementResult, ExchangeOutcome

Data = dict[str, Any]

_KEYS_SHOWN = 12


def show(result: AgreementResult, *, full: bool = False) -> None:
    """Print everything; edges that differ in their agencies only once, unless `full`."""
    data = dict(result.terms or {})
    typer.echo(f"{data['title']}\n{'=' * len(data['title'])}")
    facts(list(_head(data)))
    _section("Purpose", data["purpose"])
    typer.echo("\nParties")
    for party in data["parties"]:
        _party(party)
    _schema(data["schema"])
    typer.echo("\nEdges: who learns what from whom")
    by_id = {edge["id"]: edge for edge in data["edges"]}
    for group in data["alike"]:
        edges = [by_id[name] for name in group["edges"]]
        if full or len(edges) == 1:
            for edge in edges:
                _edge(edge, data["rounds_budget"])
        else:
            _group(group, edges, data["rounds_budget"])
    for threshold in data["thresholds"]:
        _threshold(threshold)
    if data["standing"]:
        _section("Standing", data["standing_learn"])
    if data["why_no_round"]:
        typer.echo(f"\nNo round can start now: {data['why_no_round']}")


def short(result: AgreementResult) -> str:
    """The first digits of an agreement's id, as people type them."""
    return result.summary.id[:SHORT]


def outcomes(reached: Sequence[ExchangeOutcome] | None, what: str) -> None:
    """Print on stderr the parties that were reached, and the others with the reasons."""
    agencies = [outcome.agency for outcome in reached or () if outcome.error is None]
    if agencies:
        note(f"{what}: {', '.join(agencies)}")
    for outcome in reached or ():
        if outcome.error is not None:
            note(f"not reached: {outcome.agency}: {outcome.error.message}")
            if outcome.error.hint:
                note(f"  {outcome.error.hint}")


def _section(name: str, text: str) -> None:
    typer.echo(f"\n{name}")
    for line in text.splitlines():
        typer.echo(f"  {line}")


def _line(label: str, *texts: str, width: int = 8) -> None:
    """A label, and beside it a column of lines."""
    for index, line in enumerate("\n".join(texts).splitlines()):
        typer.echo(f"    {'' if index else label:<{width}} {line}")


def _head(data: Data) -> Iterator[tuple[str, object]]:
    codes = ", ".join(data["handling_codes"])
    yield "id", data["id"]
    yield "state", data["state"]
    yield "marking", f"up to {data['marking']}"
    yield "handling codes", f"{codes}; graded records with another code are excluded"
    yield "valid", f"from {_time(data['not_before'])} until {_time(data['expires'])}"
    yield "rounds", f"at most {data['rounds_budget']}, {data['calendar']}"
    yield "retention", f"leads are erased after {data['retention_days']} days"
    if standing := data["standing"]:
        checks = standing["checks_per_day"]
        limit = f"at most {checks} checks a day and edge" if checks else "no checks of single records"
        yield "standing", f"a key is used for at most {standing['epoch_days']} days; {limit}"
    if data["collector"]:
        yield "collector", data["collector"]
    yield "suite", data["suite"]


def _party(party: Data) -> None:
    mark = "signed" if party["signed"] else "NOT SIGNED"
    for kind in ("declined", "withdrawn"):
        if withdrawal := party[kind]:
            reason = "\n    ".join(withdrawal["reason"].splitlines())
            mark = f"{kind.upper()} on {_time(withdrawal['at'])}{reason and f': {reason}'}"
    own = " (this node)" if party["own"] else ""
    typer.echo(f"  {party['agency']}{own}: {party['name']}, {party['role']} - {mark}{_reached(party)}")
    _line("legal basis", party["legal_basis"], width=16)
    _line("contact", party["contact"], width=16)
    _line("identity key", _grouped(party["identity_key"]), width=16)
    _line("certificate key", _grouped(party["certificate_key"]), width=16)


def _grouped(key: str) -> str:
    """A key's hexadecimal digits in groups of four, to be read out over the telephone."""
    return " ".join(textwrap.wrap(key, 4))


def _reached(party: Data) -> str:
    """Why the last attempt to reach a party failed, and since when; empty when it did not."""
    reached = party["reached"]
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


def _edge(edge: Data, budget: int) -> None:
    typer.echo(f"  {edge['id']}")
    for role in ("receiver", "sender"):
        _side(f"{role:<8} {edge[role]['agency']}", edge[role])
    _terms(edge)
    _learns(edge)
    _expected(edge, f"{edge['rounds_used']} of {budget} rounds")


def _group(group: Data, edges: Sequence[Data], budget: int) -> None:
    """Edges that differ in their agencies only."""
    receivers, senders, first = group["receivers"], group["senders"], edges[0]
    if set(receivers) == set(senders) and group["whole"]:
        typer.echo(
            f"  Every one of {len(receivers)} agencies from every other: {len(edges)} edges, all alike"
        )
        _names("agencies", receivers)
    elif group["whole"]:
        sides = f"{_counted(receivers, 'receiver')}, each from {_counted(senders, 'sender')}"
        typer.echo(f"  {sides}: {len(edges)} edges, all alike")
        _names("receiver", receivers)
        _names("sender", senders)
    else:
        typer.echo(f"  {len(edges)} edges, all alike")
        for receiver, agencies in group["senders_of"].items():
            _names("", [f"{receiver} from {', '.join(agencies)}"])
    for role in ("receiver", "sender"):
        _side(f"each {role}", first[role])
    _terms(first)
    _learns({**first, **group})
    own = [edge for edge in edges if edge["collection"] is not None]
    for part in _by_own_side(own) or [edges]:
        if len(part) < len(edges):
            _names("ours", [edge["id"] for edge in part])
        used = sorted({edge["rounds_used"] for edge in part})
        _expected(part[0], f"{'-'.join(map(str, used[:: len(used) - 1 or 1]))} of {budget} rounds each")


def _by_own_side(edges: Sequence[Data]) -> list[Sequence[Data]]:
    """This node's edges, grouped by its role, its collection and the warnings."""
    groups: dict[str, list[Data]] = {}
    for edge in edges:
        own = (edge["forecast"] or {}).get("own", "")
        collection = {name: value for name, value in edge["collection"].items() if name != "hint"}
        groups.setdefault(f"{own} {collection} {edge['warnings']}", []).append(edge)
    return list(groups.values())


def _counted(names: Sequence[str], what: str) -> str:
    return f"1 {what}" if len(names) == 1 else f"{len(names)} {what}s"


def _names(label: str, names: Sequence[str]) -> None:
    _line(label, *textwrap.wrap(", ".join(names), 100, break_long_words=False, break_on_hyphens=False))


def _side(label: str, side: Data) -> None:
    typer.echo(
        f"    {label}: at most {side['max_records']:,} {side['collection_kind']}, "
        f"padded to one number of tokens, at most {side['tokens_per_record']}"
    )


def _terms(edge: Data) -> None:
    reveals = edge["disclosure"]
    if edge["band"]:
        reveals += f"; nothing below {edge['minimum_count']:,} matches, in steps of {edge['band']:,}"
    if edge["verified"]:
        reveals += "; evaluation is proven with every chunk"
    _line("reveals", reveals)
    if edge["facts"]:
        _line("facts", f"{', '.join(edge['facts'])}; padded to {edge['fact_bytes']} bytes")
    _line("keys", _linkage(edge["linkage"]))


def _learns(comparison: Data, first: str = "receiver", second: str = "sender") -> None:
    _line("learns", comparison[f"{first}_learns"], comparison[f"{second}_learns"], comparison["both_learn"])
    if not comparison["leakage_is_usual"]:
        _line("signed", comparison["leakage"])


def _expected(edge: Data, used: str) -> None:
    """What a round of an edge would give, its warnings, its budget, and this node's collection for it."""
    if edge["forecast"] is not None and "problem" not in edge["forecast"]:  # a warning states the problem
        _forecast(edge["forecast"])
    for warning in edge["warnings"]:
        _line("WARNING", warning)
    _line("used", used)
    if (collection := edge["collection"]) is None:
        return
    name = collection["name"]
    _line(
        "our list",
        f"{name}, {collection['records']:,} records" if name else f"none yet: {collection['problem']}",
    )
    if lacking := collection.get("facts_missing"):
        _line("WARNING", f"{name} has no fact {', '.join(lacking)}; none is sent under that name")


def _threshold(threshold: Data) -> None:
    typer.echo(f"  {threshold['id']}")
    for side in threshold["members"]:
        _side(f"member   {side['agency']}", side)
    least, minimum = threshold["at_least"], threshold["minimum_count"]
    _line("reveals", f"what at least {least} of them share; nothing below {minimum:,} shared keys")
    _line("keys", _linkage(threshold["linkage"]))
    _learns(threshold, "member", "collector")


def _forecast(ahead: Data) -> None:
    """The expected result of a round."""
    keys, tokens, lists = ahead["keys"], ahead["tokens"], "if both lists are full and typical"
    if own := ahead["own"]:
        lists = f"for our list of {ahead['records'][own]:,} and a full, typical one on the other side"
    true, false = _figure(ahead["expected_true"]), _figure(ahead["expected_false"])
    _line(
        "expected",
        f"{lists}: {len(keys)} keys; {tokens['receiver']} and {tokens['sender']} tokens per record",
        f"{true} true leads ({ahead['recall']:.0%} of the common records) and {false} false ones",
        "expected chance matches by key:",
    )
    for key in keys[:_KEYS_SHOWN]:
        typer.echo(f"      {_figure(key['chance_matches']):>10}  {key['words']}")
    if len(keys) > _KEYS_SHOWN:
        typer.echo(f"                  and {len(keys) - _KEYS_SHOWN} more; --json has them all")


def _linkage(linkage: Data) -> str:
    missing = "also" if linkage["missing"] else "none"
    return (
        f"at most {linkage['budget']}, compiled for each round, {missing} for records that lack a field; of all leads "
        f"{linkage['false_leads']:.2%} may be false, if {linkage['overlap']:.2%} of the shorter list are in both"
    )


def _figure(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value >= 0.01 else "under 0.01"


def _time(text: str) -> str:
    return text.replace("T", " ").replace("+00:00", " UTC")
