"""`blindmatch collection`: import, list, show, delete; and `map`, which proposes a mapping."""

import csv
import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    facts,
    moment,
    note,
    open_node,
    progress,
    table,
)
from blindmatch.protocol.errors import InputError

if TYPE_CHECKING:  # the store and the importers take longer to import than most commands to run
    from blindmatch.node.imports import Collection, ImportReport

app = typer.Typer(help="Import, list and delete collections of records.", no_args_is_help=True)

_SHOWN_FAULTS = 20


class Kind(StrEnum):
    """What a collection holds."""

    SUBJECTS = "subjects"
    SUPPLIERS = "suppliers"
    BIDDERS = "bidders"


class Format(StrEnum):
    """A file's format; the same as the importers' own, which take long to import."""

    AUTO = "auto"
    TABLE = "table"
    OFFICERS = "officers"
    PSC = "psc"
    OCDS = "ocds"
    BODS = "bods"
    FTM = "ftm"


KindOption = Annotated[Kind, typer.Option(help="What the records are.")]
NameArgument = Annotated[str, typer.Argument(help="The collection's name or id.")]
JustificationOption = Annotated[str, typer.Option(help="Why, for the audit log.")]


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, Parquet, officers bulk, PSC snapshot, OCDS, BODS or FollowTheMoney.")
    ],
    *,
    kind: KindOption,
    form: Annotated[
        Format, typer.Option("--format", help="The file's format; auto tells it by the content.")
    ] = Format.AUTO,
    name: Annotated[str, typer.Option(help="The collection's name; otherwise its kind.")] = "",
    mapping: Annotated[Path | None, typer.Option(help="Which column is which field: a TOML file.")] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(help="A column that may be released with a hit; may be given several times."),
    ] = None,
    register: Annotated[
        list[Path] | None,
        typer.Option(
            help="PSC snapshot, officers bulk file (195, 216), BODS 0.4 or FollowTheMoney: adds the people behind "
            "the file's companies. "
            "May be given several times."
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
    schema: Annotated[
        str,
        typer.Option(help="The linkage schema that its agreements name."),
    ] = "",
    encoding: Annotated[
        str, typer.Option(help="Of the text file: utf-8, cp1252, iso-8859-1, iso-8859-15.")
    ] = "utf-8",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Import the good rows, leave out the bad ones.")
    ] = False,
    blank_bad_fields: Annotated[
        bool,
        typer.Option(
            "--blank-bad-fields",
            help="Import bad rows without their bad fields; of a slipped date, what can be true of it stays.",
        ),
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write every bad row here, as CSV.")] = None,
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a file as a collection: all of it, or nothing.

    Any bad row refuses the whole import, and the report says which rows, which fields and why. The node keeps
    references and digests, sealed; names, dates and addresses stay in the file.

    For example:

        blindmatch collection import people.csv --kind subjects
        blindmatch collection import suppliers.csv --kind suppliers --register psc-snapshot.jsonl --register Prod195.dat
        blindmatch collection import contracts-ocds.json --kind suppliers --register psc-snapshot.jsonl
    """
    from blindmatch.node.imports import DEFAULT_SCHEMA, ImportRefusedError, OnBad, import_collection  # noqa: PLC0415 - the database library is slow to import
    from blindmatch.node.imports.formats import load_mapping  # noqa: PLC0415

    if skip_bad_rows and blank_bad_fields:
        raise typer.BadParameter("--skip-bad-rows and --blank-bad-fields exclude each other")
    on_bad = OnBad.SKIP_ROW if skip_bad_rows else OnBad.BLANK_FIELD if blank_bad_fields else OnBad.REFUSE
    columns = load_mapping(mapping, fact or ()) if mapping else None
    with open_node(home, passphrase_file) as node, progress(f"importing {file.name}") as bar:
        try:
            done = import_collection(
                node,
                name or kind.value,
                kind.value,
                file,
                mapping=columns,
                facts=fact or (),
                form=form.value,
                register=register,
                include_ceased=include_ceased,
                marking=marking,
                schema=schema or DEFAULT_SCHEMA,
                encoding=encoding,
                on_bad=on_bad,
                justification=justification,
                progress=bar,
            )
        except ImportRefusedError as error:
            _show(error.report, report, as_json)
            raise
    _show(done, report, as_json)


def _show(done: "ImportReport", report: Path | None, as_json: bool) -> None:
    if report is not None:
        _write_report(done, report)
    for warning in done.warnings:
        note(f"warning: {warning}")
    if not as_json:
        for fault in done.bad_rows[:_SHOWN_FAULTS]:
            kept = f" (kept: {fault.kept})" if fault.kept and done.collection else ""
            note(
                f"{fault.file}: row {fault.row}: {fault.field + ': ' if fault.field else ''}{fault.reason}{kept}"
            )
        if len(done.bad_rows) > _SHOWN_FAULTS:
            where = f"see {report}" if report else "--report FILE writes all of them"
            note(f"… and {len(done.bad_rows) - _SHOWN_FAULTS} more ({where})")
    data = asdict(done)
    data["bad_rows"] = [fault._asdict() for fault in done.bad_rows]
    if as_json or done.collection:
        emit({"imported": bool(done.collection), **data}, as_json, lambda: _say(done))


def _say(done: "ImportReport") -> None:
    typer.echo(f"Imported {done.records:,} records as {done.name} ({done.kind}, {done.collection})")
    for name, columns in done.columns.items():
        typer.echo(f"  {name} from {', '.join(columns)}")
    if done.facts:
        told = [f"{name} ({column})" if column else name for name, column in done.facts.items()]
        typer.echo(f"  an agreement may release: {', '.join(told)}")
    if done.unused:
        typer.echo(f"  not read: {', '.join(done.unused)}")
    if done.register:
        counts = done.register
        typer.echo(
            f"  register: {counts['people']:,} people of {counts['companies']:,} companies, "
            f"{counts['people_behind_corporate']:,} more behind {counts['corporate']:,} corporate officers; "
            f"{counts['ceased']:,} ended appointments left out"
        )
    if done.bad_row_count:
        typer.echo(f"  bad rows: {done.bad_row_count:,}")


def _write_report(done: "ImportReport", path: Path) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "row", "field", "reason", "kept"))
            writer.writerows(done.bad_rows)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


@app.command("list")
def list_(
    *, home: HomeOption = DEFAULT_HOME, passphrase_file: PassphraseOption = None, as_json: JsonOption = False
) -> None:
    """Print the collections of this node."""
    with open_node(home, passphrase_file) as node:
        rows = node.store.collections()
    names = ("id", "name", "kind", "marking", "schema", "records", "rows", "imported_at")
    data = [{name: getattr(row, name) for name in names} for row in rows]
    shown = [(row.name, row.kind, row.marking, row.records, moment(row.imported_at), row.id) for row in rows]
    heads = ("name", "kind", "marking", "records", "imported", "id")
    emit(data, as_json, lambda: table(heads, shown, empty="No collections."))


@app.command()
def show(
    name: NameArgument,
    *,
    reference: Annotated[str, typer.Option(help="Show the records with this reference too.")] = "",
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what is known of a collection, and of the records with one reference.

    A look at a record is a consultation, and the audit log says so.
    """
    from blindmatch.node.imports import open_collection  # noqa: PLC0415

    with open_node(home, passphrase_file) as node:
        found = open_collection(node, name)
        data = {**asdict(found.row), "handling_codes": {code: len(found.select(code)) for code in "PC"}}
        if reference:
            data["matching_records"] = _records(found, reference)
            from blindmatch.node.storage.audit_events import AuditEvent  # noqa: PLC0415

            node.audit.append(
                AuditEvent.CONSULTATION,
                subject=f"collection {found.name}",
                justification=justification,
                detail={"id": found.id, "records": len(data["matching_records"])},
            )
    emit(data, as_json, lambda: _show_collection(data))


def _records(found: "Collection", reference: str) -> list[dict[str, Any]]:
    records = []
    for place in found.find(reference):
        block = found.columns(place, place + 1)
        says = [level.words for i, level in enumerate(found.schema.levels) if block.columns[:, i].any()]
        records.append({"place": place, **asdict(found.record(place)), "says": says})
    if not records:
        raise InputError(f"collection {found.name} has no record with this reference")
    return records


def _show_collection(data: dict[str, Any]) -> None:
    detail = data["detail"]
    facts(
        [
            *((name, data[name]) for name in ("name", "id", "kind", "marking", "schema", "records", "rows")),
            ("imported", moment(data["imported_at"])),
            ("handling", ", ".join(f"{code}: {count}" for code, count in data["handling_codes"].items())),
            *(
                (name.replace("_", " "), detail[name])
                for name in ("file", "format", "register", "bad_rows")
                if detail.get(name)
            ),
            *([("may be released", ", ".join(detail["facts"]))] if detail.get("facts") else []),
            *(("warning", text) for text in detail.get("warnings", ())),
        ]
    )
    for record in data.get("matching_records", ()):
        typer.echo("")
        facts(
            [
                ("reference", record["reference"]),
                ("handling", record["handling"]),
                ("can match on", ", ".join(record["says"])),
                *((f"fact {name}", value) for name, value in record["facts"].items()),
                *((name.replace("_", " "), value) for name, value in record["provenance"].items()),
            ]
        )


@app.command()
def delete(
    name: NameArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a collection and its files. Results of earlier rounds stay until they expire."""
    from blindmatch.node.imports import delete_collection  # noqa: PLC0415

    with open_node(home, passphrase_file) as node:
        row = node.store.collection(name)
        if not yes:
            typer.confirm(f"Erase {row.name} with {row.records:,} records?", abort=True, err=True)
        delete_collection(node, row.id, justification=justification)
    data = {"erased": row.name, "id": row.id, "records": row.records}
    emit(data, as_json, lambda: typer.echo(f"Erased {row.name}"))


@app.command("map")
def map_(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.")],
    *,
    kind: KindOption,
    encoding: Annotated[str, typer.Option(help="Of the text file.")] = "utf-8",
    out: Annotated[Path | None, typer.Option(help="Write the mapping here instead of on stdout.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a mapping file from a file's header. Needs no node. Look through it before using it.

    For example:

        blindmatch collection map vendors.csv --kind suppliers --out vendors.toml
        blindmatch collection import vendors.csv --kind suppliers --mapping vendors.toml
    """
    from blindmatch.node.imports.formats import open_table, propose, recognise_format  # noqa: PLC0415 - slow to import

    form = recognise_format(file)
    if form.value != Format.TABLE.value:
        raise InputError(
            f"{file}: a mapping is for tables, and this is {form.value}",
            hint="Import it as it is: its fields are known.",
        )
    with open_table(file, encoding=encoding) as opened:
        text, header = propose(opened.header, kind.value), opened.header
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as target:
                target.write(text)
        except FileExistsError:
            raise InputError(f"{out} exists already", hint="Choose another file.") from None
        except OSError as error:
            raise InputError(f"{out}: {error.strerror}") from None
        note(f"Wrote {out}: look through it, then give it to `collection import --mapping`.")
        return
    if as_json:
        typer.echo(json.dumps({"header": list(header), "mapping": text}, indent=2, ensure_ascii=False))
    else:
        typer.echo(text, nl=False)
