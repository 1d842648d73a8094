"""What commands print: results as JSON or as text and tables, notes, progress, errors."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from blindmatch.node.cli.hints import with_home
from blindmatch.node.cli.startup import LazyModule
from blindmatch.protocol.errors import BlindmatchError

if TYPE_CHECKING:
    from rich import box, text
    from rich import console as consoles
    from rich import progress as bars
    from rich import table as tables
else:
    bars, box, consoles, tables, text = (
        LazyModule(f"rich.{name}") for name in ("progress", "box", "console", "table", "text")
    )

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


def emit(data: Any, as_json: bool, render: Callable[[], None] | None = None) -> None:
    """Print a result: `data` as JSON, or for people with `render`; without it, the names and values of `data`."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif render is None:
        facts(data)
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
