"""`blindmatch agreement`: draft, read, sign, decline, verify and withdraw from agreements."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

# isort: split
import os

from blindmatch.node import agreements
from blindmatch.node.agreements import bindings, envelope_files, registry, summary
from blindmatch.node.agreements.draft import complete, read_draft
from blindmatch.node.agreements.patterns import REQUEST_RECORDS, Choices, Pattern
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.node.agreements.registry import StoredAgreement, short_id
from blindmatch.node.agreements.template import template
from blindmatch.node.cli import agreement_show as screen
from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    note,
    open_node,
    table,
)
from blindmatch.node.node import Node
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.transport.client import connector
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Disclosure, Envelope, SignedWithdrawal
from blindmatch.protocol.errors import ConfigError, InputError, PeerError

app = typer.Typer(help="Draft, show, sign, decline and verify agreements.", no_args_is_help=True)

_NAMED = 4
"""Agencies that a table's cell names."""

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The agreement's id, or its first digits.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Contact no other node.")]
FullOption = Annotated[
    bool,
    typer.Option(
        "--full", "--edges", help="Print every edge, also those that differ in their agencies only."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@app.command()
def draft(
    *,
    file: Annotated[Path | None, typer.Argument(help="A draft file, edited: becomes an agreement.")] = None,
    pattern: Annotated[
        Pattern | None,
        typer.Option(help="Write a draft file: who compares with whom. bipartite when left out."),
    ] = None,
    receiver: Annotated[
        list[str] | None, typer.Option(help="An agency that learns: the hub of a star, who asks; repeatable.")
    ] = None,
    sender: Annotated[
        list[str] | None, typer.Option(help="An agency that it learns from; repeatable.")
    ] = None,
    member: Annotated[
        list[str] | None, typer.Option(help="A member of all-pairs, or of a threshold; repeatable.")
    ] = None,
    both: Annotated[
        bool, typer.Option("--both", help="Of a star: each of the others learns from the hub, too.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write the draft file; else stdout.")] = None,
    disclosure: Annotated[Disclosure, typer.Option(help="What every edge reveals.")] = Disclosure.HITS,
    count: Annotated[bool, typer.Option("--count", help="Short for --disclosure count.")] = False,
    total: Annotated[
        str, typer.Option("--sum", metavar="FIELD", help="--disclosure sum, of this fact of the sender's.")
    ] = "",
    decimals: Annotated[int, typer.Option(help="Of a sum: digits after the point that count.")] = 0,
    minimum: Annotated[int, typer.Option(help="Of counts, sums, thresholds: fewer give no result.")] = 5,
    band: Annotated[int, typer.Option(help="Of counts, sums, thresholds: results in steps of this.")] = 1,
    report_to: Annotated[
        list[str] | None, typer.Option(help="Of counts and sums: an agency that is told, too; repeatable.")
    ] = None,
    threshold: Annotated[
        int, typer.Option(metavar="T", help="Also what at least T of the members hold.")
    ] = 0,
    collector: Annotated[str, typer.Option(help="Of a threshold: the agency that collects.")] = "",
    standing: Annotated[
        int, typer.Option(metavar="DAYS", help="A standing agreement, whose keys serve so many days.")
    ] = 0,
    checks_per_day: Annotated[
        int, typer.Option(help="Of a standing agreement: single records per edge and day.")
    ] = 0,
    receiver_kind: Annotated[
        str, typer.Option(help="subjects, suppliers or bidders; usual for the pattern when left out.")
    ] = "",
    sender_kind: Annotated[str, typer.Option(help="The same for who sends.")] = "",
    max_records: Annotated[int, typer.Option(help="Largest collection on either side.")] = 20_000,
    asked_records: Annotated[
        int, typer.Option(help="Of a request: the most that one may ask for.")
    ] = REQUEST_RECORDS,
    tokens: Annotated[int, typer.Option(help="The most tokens that a record is padded to.")] = 160,
    imported: Annotated[
        Path | None, typer.Option("--import", help="Take in an agreement that another party exported.")
    ] = None,
    offline: OfflineOption = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an agreement, in two steps: write a draft file and edit it, then turn it into a proposal.

    The second step asks the nodes of the parties for their own entries (keys, legal basis), checks every field,
    keeps the agreement and proposes it to the parties. Nothing is binding before they all sign.

    For example:

        blindmatch agreement draft --receiver west-force --sender east-council --out draft.toml
        blindmatch agreement draft --pattern all-pairs --member a --member b --member c --count --out draft.toml
        blindmatch agreement draft draft.toml
    """
    written = bool(pattern or receiver or sender or member)
    if sum((file is not None, written, imported is not None)) != 1:
        raise typer.BadParameter("give a draft FILE, or a pattern's agencies, or --import FILE")
    if written:
        if count or total:
            disclosure = Disclosure.SUM if total else Disclosure.COUNT
        choices = Choices(
            receivers=receiver or (),
            senders=sender or (),
            pattern=pattern or Pattern.BIPARTITE,
            members=member or (),
            both=both,
            receiver_kind=receiver_kind,
            sender_kind=sender_kind,
            disclosure=disclosure,
            value=total,
            decimals=decimals,
            minimum=minimum,
            band=band,
            report_to=report_to or (),
            max_records=max_records,
            asked_records=asked_records,
            tokens_per_record=tokens,
            at_least=threshold,
            collector=collector,
            epoch_days=standing,
            checks_per_day=checks_per_day,
        )
        try:
            text = template(choices, time.time())
        except ConfigError as error:
            raise typer.BadParameter(f"{error.message}. {error.hint}") from None
        _write_template(text, out)
        return
    with open_node(home, passphrase_file) as node:
        if imported is not None:
            held = registry.adopt(node, envelope_files.read(imported), source="file")
            reached: list[agreements.ExchangeOutcome] = []
        elif file is not None:
            held, reached = asyncio.run(_propose(node, file, offline=offline))
        data = {**summary.summarise(node, held), "reached": screen.outcome_data(reached)}

    def render() -> None:
        screen.show(data)
        screen.outcomes(reached, "proposed to")
        note(f"\nNext: blindmatch agreement sign {short_id(held.id)}")

    emit(data, as_json, render)


def _write_template(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise InputError(f"{out} exists already", hint="Choose another name; a draft is not overwritten.")
    try:
        write_atomically(out, text.encode())
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    note(f"Wrote {out}. Edit it, then: blindmatch agreement draft {out}")


async def _propose(
    node: Node, file: Path, *, offline: bool
) -> tuple[StoredAgreement, list[agreements.ExchangeOutcome]]:
    made, channel = read_draft(file), connector(node)
    own = node.settings.agency
    entries = {own: registry.own_party(node)}
    if not offline:
        others = [agency for agency in made.unknown if agency != own]
        found = await asyncio.gather(*(agreements.fetch_entry(channel, agency) for agency in others))
        entries |= {party.agency: party for party in found}
    agreement = complete(made, entries, os.urandom(terms.NONCE_BYTES))
    envelope = Envelope(terms.PAYLOAD_TYPE, encode_agreement(agreement), {})
    held = await asyncio.to_thread(registry.adopt, node, envelope, source="draft")
    return (held, []) if offline else await agreements.push(node, held, channel)


@app.command()
def show(
    *,
    agreement: IdArgument,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask the parties first who has signed, declined or withdrawn.")
    ] = False,
    full: FullOption = False,
    export: Annotated[Path | None, typer.Option(help="Also write it to a file, with all signatures.")] = None,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print an agreement in words: who learns what from whom, for how long, and who has signed.

    The exported file is a DSSE envelope; another party takes it in with `agreement draft --import FILE`.
    """
    with open_node(home, passphrase_file) as node:
        held = registry.find(node, agreement)
        reached: list[agreements.ExchangeOutcome] = []
        if fetch:
            held, reached = asyncio.run(agreements.fetch(node, held, connector(node)))
        if export is not None:
            envelope_files.write(export, held.envelope)
        data = summary.summarise(node, held)
    screen.outcomes(reached, "asked")
    emit(data, as_json, lambda: screen.show(data, full=full))


@app.command()
def sign(
    *,
    agreement: IdArgument,
    full: FullOption = False,
    collection: Annotated[
        list[str] | None,
        typer.Option(metavar="EDGE=NAME", help="The collection that we bring to an edge; repeatable."),
    ] = None,
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign an agreement as this node's agency, after showing all of it, and send the signature to the parties.

    A party that is not reached gets it later, when either side runs `agreement show --fetch` or signs again. With one
    collection of the kind that an edge needs, that one is taken; otherwise name it with --collection, now or later.
    """
    chosen = [_binding(text) for text in collection or ()]
    with open_node(home, passphrase_file) as node:
        held = registry.find(node, agreement)
        registry.check_signable(node, held)
        for edge, name in chosen:  # checked before the question is asked, bound after the answer
            bindings.check_fit(
                node, held.agreement, held.agreement.comparison(edge), node.store.collection(name)
            )
        if node.settings.agency in held.missing and not yes:
            _ask(node, held, f"Sign for {node.settings.name}?", as_json=as_json, full=full)
        for edge, name in chosen:
            bindings.bind(node, held, edge, name)
        problems = bindings.bind_defaults(node, held)
        held = registry.sign(node, held)
        reached: list[agreements.ExchangeOutcome] = []
        if not offline:
            held, reached = asyncio.run(agreements.push(node, held, connector(node)))
        data = {**summary.summarise(node, held), "reached": screen.outcome_data(reached)}

    def render() -> None:
        typer.echo(f"Signed {short_id(held.id)} for {node.settings.agency}: {data['state']}.")
        for edge_id, problem in problems.items():
            note(f"edge {edge_id} has no collection yet: {problem.message}")
            note(f"  {problem.hint}")
        screen.outcomes(reached, "sent to")

    emit(data, as_json, render)


@app.command()
def verify(
    *,
    agreement: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="An id, or a file that a party exported.")
    ],
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that every party has signed exactly these bytes. Exit status 1 when not.

    A file needs no node: anyone with the program can check it.
    """
    path = Path(agreement)
    if path.is_file():
        envelope = envelope_files.read(path)
    else:
        with open_node(home, passphrase_file) as node:
            row = node.store.agreement(agreement)
        envelope = Envelope(terms.PAYLOAD_TYPE, row.payload, row.signatures)
    parsed = parse_agreement(envelope.payload)
    signatures = _verdicts(parsed, envelope)
    good = all(verdict == "valid" for verdict in signatures.values())
    data = {
        "id": envelope.id.hex(),
        "title": parsed.title,
        "complete": good,
        "signatures": signatures,
    }

    def render() -> None:
        typer.echo(f"{parsed.title}\n{data['id']}")
        table(("party", "signature"), list(signatures.items()))
        typer.echo("Every party has signed these bytes." if good else "NOT signed by every party.")

    emit(data, as_json, render)
    if not good:
        raise typer.Exit(1)


def _verdicts(agreement: Agreement, envelope: Envelope) -> dict[str, str]:
    verdicts = dict.fromkeys(agreement.agencies, "missing")
    for agency, signature in envelope.signatures.items():
        try:
            terms.verify_signature(agreement, envelope.payload, agency, signature)
            verdicts[agency] = "valid"
        except PeerError as error:
            verdicts[agency] = f"INVALID: {error.message}"
    return verdicts


@app.command("list")
def list_(
    *,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask the parties first who has signed, declined or withdrawn.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the agreements that this node holds, how each stands, and who was not reached about it."""
    with open_node(home, passphrase_file) as node:
        if fetch:
            asyncio.run(_fetch_all(node))
        data = [summary.brief(node, held) for held in registry.list_agreements(node)]

    def render() -> None:
        rows = [
            (
                item["id"][: registry.SHORT_ID_DIGITS],
                item["title"],
                _named(item["parties"]),
                item["edges"],
                f"{len(item['signed'])} of {len(item['parties'])}",
                _named(item["not_reached"]),
                item["expires"][:10],
                item["state"],
            )
            for item in data
        ]
        columns = ("id", "title", "parties", "edges", "signed", "not reached", "expires", "state")
        table(columns, rows, empty="No agreements.")

    emit(data, as_json, render)


async def _fetch_all(node: Node) -> None:
    """Ask the parties of every agreement that may still change."""
    held = [each for each in registry.list_agreements(node) if not each.withdrawals]
    await asyncio.gather(*(agreements.fetch(node, each, connector(node)) for each in held))


def _named(agencies: Sequence[str]) -> str:
    """Agencies in one cell of a table."""
    shown = ", ".join(agencies[:_NAMED])
    return shown if len(agencies) <= _NAMED else f"{shown} and {len(agencies) - _NAMED} more"


@app.command()
def decline(
    *,
    agreement: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; every party reads it.")],
    justification: Annotated[str, typer.Option(help="Why, for this node's audit log only.")] = "",
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decline to sign an agreement, with a reason that is signed: it can never start, and every party sees who and why.

    After signing this is a withdrawal. Declining again tells those parties that were not reached.
    """
    with open_node(home, passphrase_file) as node:
        held = registry.find(node, agreement)
        if not yes and node.settings.agency not in held.withdrawals:
            _ask(node, held, f"Decline for {node.settings.name}, for good?", as_json=as_json)
        signed = registry.decline(node, held, reason, justification=justification)
        _leave(node, held, signed, offline=offline, as_json=as_json)


@app.command()
def withdraw(
    *,
    agreement: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; the other parties read it.")] = "",
    justification: Annotated[str, typer.Option(help="Why, for this node's audit log only.")] = "",
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw this agency from an agreement: no further round runs under it, here or, once told, elsewhere.

    Withdrawing again tells those parties that were not reached. What was disclosed before stays disclosed.
    """
    with open_node(home, passphrase_file) as node:
        held = registry.find(node, agreement)
        if not yes and node.settings.agency not in held.withdrawals:
            _ask(node, held, f"Withdraw {node.settings.name} for good?", as_json=as_json)
        signed = registry.withdraw(node, held, reason, justification=justification)
        _leave(node, held, signed, offline=offline, as_json=as_json)


def _leave(
    node: Node, held: StoredAgreement, signed: SignedWithdrawal, *, offline: bool, as_json: bool
) -> None:
    """Tell the parties that we declined or withdrew, and say who heard it."""
    reached = [] if offline else asyncio.run(agreements.push_withdrawal(node, held, signed, connector(node)))
    held = registry.find(node, held.id)
    data: dict[str, Any] = {**summary.brief(node, held), "reached": screen.outcome_data(reached)}

    def render() -> None:
        typer.echo(f"{short_id(held.id)}: {data['state']}.")
        screen.outcomes(reached, "told")

    emit(data, as_json, render)


def _ask(node: Node, held: StoredAgreement, question: str, *, as_json: bool, full: bool = False) -> None:
    """Show what it is about and ask; end with status 1 unless the answer is yes."""
    if not as_json:
        screen.show(summary.summarise(node, held), full=full)
        typer.echo()
    if not typer.confirm(question, err=True):
        note("Nothing was changed.")
        raise typer.Exit(1)


def _binding(text: str) -> tuple[str, str]:
    edge, equals, name = text.partition("=")
    if not (edge and equals and name):
        raise typer.BadParameter(f"--collection {text}: write EDGE=NAME")
    return edge, name
