"""What all commands share: options, the open node, output, progress, errors."""

import json
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node import operations
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.passphrase import read_passphrase
from blindmatch.protocol.errors import BlindmatchError

if TYPE_CHECKING:
    from rich import box, text
    from rich import console as consoles
    from rich import progress as bars
    from rich import table as tables

    from blindmatch.node.node import Node
else:
    bars, box, consoles, tables, text = (
        LazyModule(f"rich.{name}") for name in ("progress", "box", "console", "table", "text")
    )

DEFAULT_HOME = Path("node")

_home: str = ""


def _remember_home(context: typer.Context, parameter: typer.CallbackParam, value: Path) -> Path:
    """Remember a folder given on the command line: the commands in hints must name it too."""
    global _home  # noqa: PLW0603 - one folder per process, as the command names it
    source = context.get_parameter_source(parameter.name or "")
    _home = str(value) if source is not None and source.name == "COMMANDLINE" else ""
    return value


def forget_home() -> None:
    """Forget the folder of an earlier command in the same process."""
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

WITHOUT_HOME = frozenset({"pki init", "pki issue", "pki revoke", "pki show", "collection map"})
"""Commands without the option --home."""

_COMMAND = re.compile(
    r"\bblindmatch ((?:node|pki|collection|agreement|round|audit|keys) [a-z]+)\b(?! --home)(?![^`\n]* --home )"
)


def with_home(text: str) -> str:
    """A hint whose commands name the node's folder, where this command had to name it: they can be copied as they are."""

    def add_home(match: re.Match[str]) -> str:
        return match[0] if match[1] in WITHOUT_HOME else f"{match[0]} --home {shlex.quote(_home)}"

    return _COMMAND.sub(add_home, text) if _home and _home != str(DEFAULT_HOME) else text


PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="BLINDMATCH_PASSPHRASE_FILE",
        help="File whose first line is the passphrase. Without it, BLINDMATCH_PASSPHRASE, or else a prompt.",
    ),
]
JustificationOption = Annotated[str, typer.Option(help="Why, for this node's audit log.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

SHORT = 12
"""Hexadecimal digits of an id that people see."""

_PIPE_WIDTH = 200
_debug = False


def debugging(wanted: bool | None = None) -> bool:
    """Whether errors show their traceback; an argument sets it for the rest of the process."""
    global _debug  # noqa: PLW0603 - one switch per process, set before any command runs
    if wanted is not None:
        _debug = wanted
    return _debug


def no_core_files() -> None:
    """Prevent core files: this process holds keys, and a crash must not write its memory to a disk."""
    try:
        import resource  # noqa: PLC0415 - not available on Windows
    except ImportError:
        return
    _, highest = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte, not 0: Linux then sends the memory to no program that collects core dumps either (core(5)).
    limit = 1 if highest == resource.RLIM_INFINITY or highest >= 1 else 0
    resource.setrlimit(resource.RLIMIT_CORE, (limit, highest))


@contextmanager
def open_node(
    home: Path, passphrase_file: Path | None = None, *, record_wire: Path | None = None
) -> Iterator["Node"]:
    """The node in `home`, open while the context lasts; see `operations.nodes.open_node`."""
    passphrase = partial(read_passphrase, passphrase_file)
    with operations.nodes.open_node(home, passphrase, record_wire=record_wire) as node:
        yield node


def emit(data: Any, as_json: bool, render: Callable[[], None]) -> None:
    """Print a result: `data` as JSON, or for people with `render`."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        render()


def moment(seconds: float) -> str:
    """A time for people: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def console(*, err: bool = False) -> "consoles.Console":
    """A console on stdout or stderr. It prints text unchanged: no markup, and no folding to 80 columns in a pipe."""
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
    result = tables.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        result.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        result.add_row(*(text.Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    return result


def facts(pairs: Sequence[tuple[str, object]] | Mapping[str, object]) -> None:
    """Print names and values, one pair a line, in two columns; the names of a mapping without underscores."""
    if isinstance(pairs, Mapping):
        pairs = [(name.replace("_", " "), value) for name, value in pairs.items()]
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        typer.echo(f"{name:<{width}}  {value}")


def stderr_is_live() -> bool:
    """Whether stderr is a terminal: only then are bars drawn, and the library for them imported."""
    return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr while the context lasts; call the function that it yields with (done, total or None).

    Without a terminal nothing is drawn.
    """
    if not stderr_is_live():
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
    """Print a line for the operator on stderr. It is not a result."""
    typer.echo(with_home(text), err=True)


def report(error: BlindmatchError) -> None:
    """Print an error and its hint on stderr."""
    typer.echo(f"error: {error}", err=True)
    if error.hint:
        typer.echo(f"hint: {with_home(error.hint)}", err=True)


def report_unexpected(error: Exception) -> None:
    """Print an unexpected exception's type and place. Its text could contain a secret, so it is not printed."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        typer.echo(f"error: {error.filename}: {error.strerror}", err=True)
        return
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "blindmatch" in f.filename] or (
        traceback.extract_tb(error.__traceback__)
    )
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    typer.echo(f"error: unexpected {type(error).__name__}{place}", err=True)
    typer.echo("hint: This is a defect in blindmatch. `blindmatch --debug …` shows the details.", err=True)
