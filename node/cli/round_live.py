"""A round as it runs: progress on stderr, and the status table that is drawn again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from blindmatch.node.cli.output import console, make_table, note, progress_columns, stderr_is_live
from blindmatch.node.cli.round_tables import (
    STATUS_COLUMNS,
    status_cells,
    status_counts,
    status_line,
    status_reasons,
)
from blindmatch.node.cli.startup import LazyModule

if TYPE_CHECKING:
    from rich import console as consoles
    from rich import live
    from rich import progress as bars

    from blindmatch.node.operations.rounds import EdgeStatus, Progress, Waiting
else:
    bars, consoles, live = (LazyModule(f"rich.{name}") for name in ("progress", "console", "live"))

REDRAW_SECONDS = 1.0

_STEPS = {
    "prepare": "blinding our elements",
    "wait": "the sender prepares",
    "exchange": "exchanging",
    "tags": "fetching tags",
    "search": "searching",
    "close": "closed",
}

_BARS = 20
"""Edges with a bar each; with more, closed edges leave the screen."""

_MARGIN = 6
"""Lines of a terminal that a live table leaves free: for its heading, its frame and the counts."""


@contextmanager
def edge_progress() -> Iterator[tuple[Progress, Waiting]]:
    """One bar per edge on stderr; without a terminal, one line per step. An edge that waits shows its peer and the reason."""
    if not stderr_is_live():
        last: dict[str, str] = {}

        def line(edge: str, text: str) -> None:
            if last.get(edge) != text:
                last[edge] = text
                note(f"{edge}: {text}")

        def step_line(edge: str, step: str, _done: int, _total: int) -> None:
            line(edge, _STEPS[step])

        yield step_line, lambda edge, peer, reason: line(edge, f"waiting for {peer}: {reason}")
        return
    with bars.Progress(*progress_columns(), console=console(err=True)) as drawn:
        tasks: dict[str, Any] = {}

        def task(edge: str) -> Any:
            if edge not in tasks:
                tasks[edge] = drawn.add_task(edge, total=None)
            return tasks[edge]

        def update(edge: str, step: str, done: int, total: int) -> None:
            drawn.update(
                task(edge),
                description=f"{edge}: {_STEPS[step]}",
                completed=done,
                total=total or None,
                visible=step != "close" or len(tasks) <= _BARS,
            )

        def wait(edge: str, peer: str, reason: str) -> None:
            drawn.update(task(edge), description=f"{edge}: waiting for {peer}: {reason}", total=None)

        yield update, wait


def watch(
    statuses: Callable[[], Sequence[EdgeStatus]], *, pause: Callable[[float], None] = time.sleep
) -> None:
    """Draw the status table until every edge is over; without a terminal, print a line per change."""
    screen, updates = console(), _updates(statuses, pause)
    now: Sequence[EdgeStatus] = ()
    if screen.is_terminal:
        with live.Live(console=screen, auto_refresh=False) as drawn:
            for now in updates:
                drawn.update(_status_view(now, screen.height), refresh=True)
    else:
        printed: dict[str, str] = {}
        for now in updates:
            for each in now:
                line = status_line(each)
                if printed.get(each.edge) != line:
                    printed[each.edge] = line
                    typer.echo(line)
    typer.echo(status_counts(now))


def _updates(
    statuses: Callable[[], Sequence[EdgeStatus]], pause: Callable[[float], None]
) -> Iterator[Sequence[EdgeStatus]]:
    """The statuses, again and again until every edge is over."""
    while True:
        now = statuses()
        yield now
        if all(each.over for each in now):
            return
        pause(REDRAW_SECONDS)


def _status_view(statuses: Sequence[EdgeStatus], height: int) -> consoles.Group:
    """The counts, the table and the reasons, as far as they fit into a terminal."""
    shown = _fitting(statuses, height - _MARGIN)
    reasons = status_reasons(shown) if 2 * len(shown) + _MARGIN <= height else ()
    rows = make_table(STATUS_COLUMNS, [status_cells(each) for each in shown])
    return consoles.Group(status_counts(statuses), rows, *reasons)


def _fitting(statuses: Sequence[EdgeStatus], lines: int) -> Sequence[EdgeStatus]:
    """The edges that fit into so many lines of a terminal: when there are more, those that are not over."""
    if len(statuses) <= lines:
        return statuses
    return [each for each in statuses if not each.over][: max(lines, 1)]
