"""`blindmatch audit`: who did what, when, and who received it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import (
    DEFAULT_HOME,
    AsJson,
    Home,
    Justification,
    OutFile,
    PassphraseFile,
    open_node,
)
from blindmatch.node.cli.output import emit, moment, note, table
from blindmatch.node.storage.audit_events import AuditEvent

if TYPE_CHECKING:
    from blindmatch.node.operations.audit import AuditRow

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    *,
    home: Home = DEFAULT_HOME,
    event: Annotated[
        AuditEvent | None, typer.Option(help="Only this kind of event.", case_sensitive=False)
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries, counted from the end.")] = 50,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """List the latest entries, oldest first.

    The events are those of the Data Protection Act 2018 s.62: collection, alteration, consultation, disclosure,
    combination, erasure.
    """
    with open_node(home, passphrase_file) as node:
        entries = operations.audit.entries(node, event=event, last=last)

    def render() -> None:
        cells = [
            (str(entry.seq), moment(entry.time), entry.user, entry.event, _description(entry))
            for entry in entries
        ]
        table(("entry", "time", "user", "event", "what"), cells, empty="No entries.")

    emit([entry.data() for entry in entries], as_json, render)


@app.command()
def verify(
    *,
    home: Home = DEFAULT_HOME,
    head: Annotated[
        list[Path] | None, typer.Option(help="A head from an earlier export, stored elsewhere. Repeatable.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify the whole log: every hash, every signature, the order, and that no entry is missing.

    This detects any change, removal, insertion or reordering, also at the end of the log. An attacker who can restore an
    older copy of the database *and* of audit.head is detected only with a head that was stored elsewhere. Give it with
    --head. The exit status is 1 if the log is not intact.
    """
    with open_node(home, passphrase_file) as node:
        result = operations.audit.verify(node, heads=head or ())

    def render() -> None:
        if result.problems:
            table(("entry", "problem"), [(str(each.seq), each.reason) for each in result.problems])
        verdict = "intact" if result.intact else f"NOT INTACT ({len(result.problems)} problems)"
        typer.echo(f"{_count(result.entries)}, {verdict}")

    emit(result.data(), as_json, render)
    if not result.intact:
        raise typer.Exit(1)


@app.command()
def export(
    *,
    home: Home = DEFAULT_HOME,
    out: OutFile = None,
    head: Annotated[
        Path | None, typer.Option(help="Also write the signed head to this file. Store it elsewhere.")
    ] = None,
    justification: Justification = "",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Write the log as JSON, one entry a line, with the hashes and signatures that prove it.

    The export is itself an entry (a disclosure), the last one in the file.

    For example:

        blindmatch audit export --home west --out west-audit.jsonl --head west-audit.head
    """
    with open_node(home, passphrase_file) as node:
        entries = operations.audit.export(node, out=out, head=head, justification=justification)
    if out is None:
        typer.echo(operations.audit.lines(entries), nl=False)
    note(f"{_count(len(entries))} exported")


def _count(entries: int) -> str:
    return f"{entries} {'entry' if entries == 1 else 'entries'}"


def _description(entry: AuditRow) -> str:
    """Subject, recipient, detail and justification of an entry, in one line."""
    detail = ", ".join(f"{name} {value}" for name, value in entry.data()["detail"].items())
    recipient = f" to {entry.recipient}" if entry.recipient else ""
    justification = f' "{entry.justification}"' if entry.justification else ""
    return f"{entry.subject}{recipient}{f': {detail}' if detail else ''}{justification}"
