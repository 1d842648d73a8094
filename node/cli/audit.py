"""`blindmatch audit`: who did what, when, and who received it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    moment,
    note,
    open_node,
    table,
)
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import HEAD_NAME, check, entry_json, read_head, read_heads
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.store import AuditRow
from blindmatch.protocol.errors import StoreError

app = typer.Typer(help="The audit log: list, verify, export.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    home: HomeOption = DEFAULT_HOME,
    event: Annotated[
        AuditEvent | None, typer.Option(help="Only this kind of event.", case_sensitive=False)
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries, counted from the end.")] = 50,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the latest entries, oldest first.

    The events are those of the Data Protection Act 2018 s.62: collection, alteration, consultation, disclosure,
    combination, erasure.
    """
    with open_node(home, passphrase_file) as node:
        rows = [row for row in node.store.audit_rows() if event is None or row.event == event.value][-last:]
    columns = ("entry", "time", "user", "event", "what")
    cells = [(str(row.seq), moment(row.time), row.user, row.event, _what(row)) for row in rows]
    emit([entry_json(row) for row in rows], as_json, lambda: table(columns, cells, empty="No entries."))


@app.command()
def verify(
    *,
    home: HomeOption = DEFAULT_HOME,
    head: Annotated[
        list[Path] | None,
        typer.Option(help="A head that `audit export` wrote earlier and you kept elsewhere. Repeatable."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the whole log: every hash, every signature, the order, and that nothing is missing.

    Finds any change, removal, insertion or reordering, also at the end of the log. Somebody who can put back an
    older copy of the database *and* of audit.head is found only with a head that was kept elsewhere: give it with
    --head. Exit status 1 when anything is wrong.
    """
    with open_node(home, passphrase_file) as node:
        rows = list(node.store.audit_rows())
        own = read_heads(home / HEAD_NAME)
        given = [(path, read_head(path)) for path in head or []]
        heads = [kept for _, kept in given if kept is not None] + own
        problems = [
            {"seq": p.seq, "reason": p.reason}
            for p in check(rows, agency=node.agency, public_key=node.keys.identity_public, heads=heads)
        ]
    missing = [path for path, kept in given if kept is None]
    if missing:
        raise StoreError(f"{missing[0]}: there is no such head")
    if not own:
        problems.append(
            {"seq": len(rows), "reason": f"{HEAD_NAME} is missing: a cut tail would not be found"}
        )
    data = {"agency": node.agency, "entries": len(rows), "intact": not problems, "problems": problems}

    def render() -> None:
        if problems:
            table(("entry", "problem"), [(str(p["seq"]), p["reason"]) for p in problems])
        verdict = f"NOT INTACT ({len(problems)} found)" if problems else "intact"
        typer.echo(f"{_entries(len(rows))}, {verdict}")

    emit(data, as_json, render)
    if problems:
        raise typer.Exit(1)


@app.command()
def export(
    *,
    home: HomeOption = DEFAULT_HOME,
    out: Annotated[Path | None, typer.Option(help="The file to write; without it, stdout.")] = None,
    head: Annotated[
        Path | None, typer.Option(help="Also write the signed head here, to be kept elsewhere.")
    ] = None,
    justification: Annotated[str, typer.Option(help="Why, for the log itself.")] = "",
    passphrase_file: PassphraseOption = None,
) -> None:
    """Write the log as JSON lines, one entry a line, with the hashes and signatures that prove it.

    The export is itself an entry (a disclosure), the last one in the file.

    For example:

        blindmatch audit export --home west --out west-audit.jsonl --head west-audit.head
    """
    with open_node(home, passphrase_file) as node:
        recipient = "stdout" if out is None else out.name
        node.audit.append(
            AuditEvent.DISCLOSURE,
            subject="audit log",
            recipient=recipient,
            justification=justification,
            detail={"action": "export"},
        )
        rows = list(node.store.audit_rows())
        kept = read_head(home / HEAD_NAME)
    text = "".join(json.dumps(entry_json(row), sort_keys=True) + "\n" for row in rows)
    if out is None:
        sys.stdout.write(text)
    else:
        write_atomically(out, text.encode())
    if head is not None and kept is not None:
        write_atomically(head, (kept.to_json() + "\n").encode())
    note(f"{_entries(len(rows))} exported")


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _what(row: AuditRow) -> str:
    """Subject, recipient, detail and justification of an entry, in one line."""
    detail = ", ".join(f"{name} {value}" for name, value in json.loads(row.detail).items())
    to = f" to {row.recipient}" if row.recipient else ""
    why = f' "{row.justification}"' if row.justification else ""
    return f"{row.subject}{to}{f': {detail}' if detail else ''}{why}"
