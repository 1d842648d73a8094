"""`blindmatch collection`: import, list, show, delete; and `map`, which proposes a mapping."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import (
    DEFAULT_HOME,
    AsJson,
    Encoding,
    Home,
    Justification,
    MappingFile,
    OutFile,
    PassphraseFile,
    open_node,
)
from blindmatch.node.cli.output import emit, facts, moment, note, progress, table
from blindmatch.node.operations.choices import CollectionKind, FileFormat

if TYPE_CHECKING:
    from blindmatch.node.operations.collections import ImportReport, ShownCollection

app = typer.Typer(no_args_is_help=True)

_SHOWN_FAULTS = 20

KindOption = Annotated[CollectionKind, typer.Option(help="The kind of the records.")]
NameArgument = Annotated[str, typer.Argument(help="The collection's name or id.")]


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, Parquet, officers bulk, PSC snapshot, OCDS, BODS or FollowTheMoney.")
    ],
    *,
    kind: KindOption,
    form: Annotated[
        FileFormat, typer.Option("--format", help="The file's format; auto recognises it by the content.")
    ] = FileFormat.AUTO,
    name: Annotated[str, typer.Option(help="The collection's name. Without it, its kind.")] = "",
    mapping: MappingFile = None,
    fact: Annotated[
        list[str] | None, typer.Option(help="A column that may be released with a hit. Repeatable.")
    ] = None,
    register: Annotated[
        list[Path] | None,
        typer.Option(
            help="PSC snapshot, officers bulk file (195, 216), BODS 0.4 or FollowTheMoney: adds the people behind "
            "the file's companies. Repeatable."
        ),
    ] = None,
    include_ceased: Annotated[
        bool,
        typer.Option(
            "--include-ceased",
            "--include-resigned",
            help="Also people whose appointment or control has ended.",
        ),
    ] = False,
    marking: Annotated[str, typer.Option(help="The government marking of the records.")] = "OFFICIAL",
    schema: Annotated[str, typer.Option(help="The linkage schema of its agreements.")] = "",
    encoding: Encoding = "utf-8",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Import the good rows only.")
    ] = False,
    blank_bad_fields: Annotated[
        bool,
        typer.Option(
            "--blank-bad-fields",
            help="Import bad rows without their bad fields; for an impossible date, keep the valid parts.",
        ),
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write every bad row to this file, as CSV.")] = None,
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Import a file as a collection: all of it, or nothing.

    If any row is bad, the whole import is refused, and the report lists the rows, the fields and the reasons. The node
    stores references and digests, sealed. It does not store names, dates or addresses.

    For example:

        blindmatch collection import people.csv --kind subjects
        blindmatch collection import suppliers.csv --kind suppliers --register psc-snapshot.jsonl --register Prod195.dat
        blindmatch collection import contracts-ocds.json --kind suppliers --register psc-snapshot.jsonl
    """
    if skip_bad_rows and blank_bad_fields:
        raise typer.BadParameter("--skip-bad-rows and --blank-bad-fields exclude each other")
    on_bad = "skip-row" if skip_bad_rows else "blank-field" if blank_bad_fields else "refuse"
    collections = operations.collections
    with open_node(home, passphrase_file) as node, progress(f"importing {file.name}") as bar:
        try:
            imported = collections.import_collection(
                node,
                name or kind.value,
                kind.value,
                file,
                mapping=mapping,
                facts=fact or (),
                form=form.value,
                register=register,
                include_ceased=include_ceased,
                marking=marking,
                schema=schema or collections.DEFAULT_SCHEMA,
                encoding=encoding,
                on_bad=collections.OnBad(on_bad),
                justification=justification,
                progress=bar,
            )
        except collections.ImportRefusedError as error:
            _show_import(error.report, report, as_json)
            raise
    _show_import(imported, report, as_json)


def _show_import(imported: ImportReport, report: Path | None, as_json: bool) -> None:
    if report is not None:
        imported.write_bad_rows(report)
    for warning in imported.warnings:
        note(f"warning: {warning}")
    if not as_json:
        totals = Counter((fault.field, fault.reason) for fault in imported.bad_rows)
        for (field, reason), count in totals.most_common():
            note(f"bad values: {count:,}: {field + ': ' if field else ''}{reason}")
        for fault in imported.bad_rows[:_SHOWN_FAULTS]:
            valid = f" (kept: {fault.kept})" if fault.kept and imported.collection else ""
            field = f"{fault.field}: " if fault.field else ""
            note(f"{fault.file}: row {fault.row}: {field}{fault.reason}{valid}")
        if len(imported.bad_rows) > _SHOWN_FAULTS:
            where = f"see {report}" if report else "--report FILE writes all of them"
            note(f"… and {len(imported.bad_rows) - _SHOWN_FAULTS} more ({where})")
    if as_json or imported.collection:
        emit(imported.data(), as_json, lambda: _show_imported(imported))


def _show_imported(imported: ImportReport) -> None:
    typer.echo(
        f"Imported {imported.records:,} records as {imported.name} ({imported.kind}, {imported.collection})"
    )
    for name, columns in imported.columns.items():
        typer.echo(f"  {name} from {', '.join(columns)}")
    if imported.facts:
        releasable = [f"{name} ({column})" if column else name for name, column in imported.facts.items()]
        typer.echo(f"  an agreement may release: {', '.join(releasable)}")
    if imported.unused:
        typer.echo(f"  not read: {', '.join(imported.unused)}")
    if counts := imported.register:
        typer.echo(
            f"  register: {counts['people']:,} people of {counts['companies']:,} companies, "
            f"{counts['people_behind_corporate']:,} more behind {counts['corporate']:,} corporate officers; "
            f"{counts['ceased']:,} ended appointments were not read"
        )
    if imported.bad_row_count:
        typer.echo(f"  bad rows: {imported.bad_row_count:,}")


@app.command("list")
def list_(
    *, home: Home = DEFAULT_HOME, passphrase_file: PassphraseFile = None, as_json: AsJson = False
) -> None:
    """List the collections of this node."""
    with open_node(home, passphrase_file) as node:
        rows = operations.collections.list_collections(node)
    cells = [(row.name, row.kind, row.marking, row.records, moment(row.imported_at), row.id) for row in rows]
    columns = ("name", "kind", "marking", "records", "imported", "id")
    emit([row.data() for row in rows], as_json, lambda: table(columns, cells, empty="No collections."))


@app.command()
def show(
    name: NameArgument,
    *,
    reference: Annotated[str, typer.Option(help="Also show the records with this reference.")] = "",
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what the node stores of a collection, and of the records with one reference.

    Reading a record is a consultation, and the audit log records it.
    """
    with open_node(home, passphrase_file) as node:
        shown = operations.collections.show(node, name, reference=reference, justification=justification)
    emit(shown.data(), as_json, lambda: _show_collection(shown))


def _show_collection(shown: ShownCollection) -> None:
    row, detail = shown.row, shown.row.detail
    facts(
        [
            ("name", row.name),
            ("id", row.id),
            ("kind", row.kind),
            ("marking", row.marking),
            ("schema", row.schema),
            ("records", row.records),
            ("rows", row.rows),
            ("imported", moment(row.imported_at)),
            ("handling", ", ".join(f"{code}: {count}" for code, count in shown.handling_codes.items())),
            *(
                (name.replace("_", " "), detail[name])
                for name in ("file", "format", "register", "bad_rows")
                if detail.get(name)
            ),
            *([("may be released", ", ".join(detail["facts"]))] if detail.get("facts") else []),
            *(("warning", text) for text in detail.get("warnings", ())),
        ]
    )
    for record in shown.records or ():
        typer.echo()
        facts(
            [
                ("reference", record.info.reference),
                ("handling", record.info.handling),
                ("can match on", ", ".join(record.levels)),
                *((f"fact {name}", value) for name, value in record.info.facts.items()),
                *((name.replace("_", " "), value) for name, value in record.info.provenance.items()),
            ]
        )


@app.command()
def delete(
    name: NameArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase a collection and its files. Results of earlier rounds remain until they expire."""
    with open_node(home, passphrase_file) as node:
        row = operations.collections.find(node, name)
        if not yes:
            typer.confirm(f"Erase {row.name} with {row.records:,} records?", abort=True, err=True)
        operations.collections.delete_collection(node, row.id, justification=justification)
    data = {"erased": row.name, "id": row.id, "records": row.records}
    emit(data, as_json, lambda: typer.echo(f"Erased {row.name}"))


@app.command("map")
def map_(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.")],
    *,
    kind: KindOption,
    encoding: Encoding = "utf-8",
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping file from a file's header. This needs no node.

    Check the mapping before you use it.

    The exit code is 1 if no heading gives the reference, or a field to match on.

    For example:

        blindmatch collection map vendors.csv --kind suppliers --out vendors.toml
        blindmatch collection import vendors.csv --kind suppliers --mapping vendors.toml
    """
    proposed = operations.collections.propose_mapping(file, kind.value, encoding=encoding, out=out)
    if out is None:
        emit(proposed.data(), as_json, lambda: typer.echo(proposed.mapping, nl=False))
    else:
        note(f"Wrote {out}. Check it, then give it to `collection import --mapping`.")
    if proposed.missing:
        note(f"error: no heading was recognised for {proposed.missing}: name the column in the mapping")
        raise typer.Exit(1)
