"""What every noun's commands share: options, the open node, output, progress, errors."""

import json
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.passphrase import read_passphrase
from blindmatch.protocol.errors import BlindmatchError

if TYPE_CHECKING:  # the store and its libraries take longer to import than most commands to run
    from rich import box, text
    from rich import console as consoles
    from rich import progress as bars
    from rich import table as tables

    from blindmatch.node import node as folder
    from blindmatch.node.storage import config
else:
    config, folder = LazyModule("blindmatch.node.storage.config"), LazyModule("blindmatch.node.node")
    bars, box, consoles, tables, text = (
        LazyModule(f"rich.{name}") for name in ("progress", "box", "console", "table", "text")
    )

DEFAULT_HOME = Path("node")

_home: str = ""


def _remember_home(context: typer.Context, parameter: typer.CallbackParam, value: Path) -> Path:
    """A folder that stands on the command line must stand in the commands of hints, too."""
    global _home  # noqa: PLW0603 - one folder per process, as the command names it
    source = context.get_parameter_source(parameter.name or "")
    _home = str(value) if source is not None and source.name == "COMMANDLINE" else ""
    return value


def forget_home() -> None:
    """At the start of a command: none was named yet."""
    global _home  # noqa: PLW0603 - see above
    _home = ""


HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="BLINDMATCH_HOME",
        help="The node's data folder.",
        show_default=True,
        callback=_remember_home,
    ),
]

HOMELESS = frozenset({"pki init", "pki issue", "pki revoke", "pki show", "collection map"})
"""Commands that know no node's folder."""

_COMMAND = re.compile(
    r"\bblindmatch ((?:node|pki|collection|agreement|round|audit|keys) [a-z]+)\b(?! --home)(?![^`\n]* --home )"
)


def with_home(text: str) -> str:
    """A hint whose every command names the node's folder, when this command had to: it can be copied as it is."""

    def named(found: re.Match[str]) -> str:
        return found[0] if found[1] in HOMELESS else f"{found[0]} --home {shlex.quote(_home)}"

    return _COMMAND.sub(named, text) if _home and _home != str(DEFAULT_HOME) else text


PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="BLINDMATCH_PASSPHRASE_FILE",
        help="File whose first line is the passphrase; otherwise BLINDMATCH_PASSPHRASE, otherwise a prompt.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_PIPE_WIDTH = 200
_debug = False


def debugging(wanted: bool | None = None) -> bool:
    """Whether errors show where they came from; with an argument, say so for the rest of the process."""
    global _debug  # noqa: PLW0603 - one switch per process, set before any command runs
    if wanted is not None:
        _debug = wanted
    return _debug


def no_core_files() -> None:
    """This process holds keys: when it crashes, its memory shall not end on a disk."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte, not none: Linux then keeps the memory from a program that collects core dumps too (core(5)).
    least = 1 if most == resource.RLIM_INFINITY or most >= 1 else 0
    resource.setrlimit(resource.RLIMIT_CORE, (least, most))


@contextmanager
def open_node(home: Path, passphrase_file: Path | None = None) -> Iterator["folder.Node"]:
    """The node in `home`, open while the context lasts.

    Raises:
        ConfigError: there is no node.
        KeysError: wrong passphrase, or none to be had.
        StoreError: its database cannot be used.
    """
    config.load_settings(home / config.FILE_NAME)  # a wrong folder is said before a passphrase is asked for
    with folder.Node.open(home, read_passphrase(passphrase_file)) as node:
        yield node


def emit(data: Any, as_json: bool, render: Callable[[], None]) -> None:
    """Print a result: `data` as JSON, or whatever `render` prints for people."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, default=plain, ensure_ascii=False))
    else:
        render()


def plain(value: Any) -> Any:
    """JSON's view of bytes (hex), times (ISO 8601), paths, enumerations and dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def moment(seconds: float) -> str:
    """A time for people: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def console(*, err: bool = False) -> "consoles.Console":
    """A console on stdout or stderr. Text is printed as it is: no markup, and no folding to 80 columns in a pipe."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return consoles.Console(stderr=err, markup=False, highlight=False, emoji=False, width=width)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "Nothing.") -> None:
    """Print a table, or `empty` when there are no rows. Columns whose every cell is a number are right-aligned."""
    if not rows:
        typer.echo(empty)
        return
    console().print(make_table(columns, rows))


def make_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> "tables.Table":
    """The table that `table` prints."""
    made = tables.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(text.Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    return made


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, in two columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        typer.echo(f"{name:<{width}}  {value}")


def watched() -> bool:
    """Whether somebody sees stderr as it is written: only then is a bar drawn, and the library for it imported."""
    return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr while the context lasts; call what it yields with (done, total or None).

    Not a terminal: nothing is drawn.
    """
    if not watched():
        yield lambda _done, _total: None
        return
    with bars.Progress(*progress_columns(), console=console(err=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def progress_columns() -> "tuple[bars.ProgressColumn, ...]":
    """The columns of every progress bar: title, bar, count, time."""
    return (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )


def note(text: str) -> None:
    """One line for the operator on stderr: not a result."""
    typer.echo(with_home(text), err=True)


def report(error: BlindmatchError) -> None:
    """An error and what to do about it, on stderr."""
    typer.echo(f"error: {error}", err=True)
    if error.hint:
        typer.echo(f"hint: {with_home(error.hint)}", err=True)


def report_unexpected(error: Exception) -> None:
    """An exception that nobody foresaw: its type and place. Its text might quote a secret, so it is not shown."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        typer.echo(f"error: {error.filename}: {error.strerror}", err=True)
        return
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "blindmatch" in f.filename] or (
        traceback.extract_tb(error.__traceback__)
    )
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    typer.echo(f"error: unexpected {type(error).__name__}{place}", err=True)
    typer.echo("hint: This is a defect in blindmatch. `blindmatch --debug …` shows the details.", err=True)
