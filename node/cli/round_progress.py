"""How a round gets on, on stderr while it runs: a bar per edge, or a line per step where nobody watches a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blindmatch.node.cli.common import console, note, watched
from blindmatch.node.cli.startup import LazyModule

if TYPE_CHECKING:
    from rich import progress as bars

    from blindmatch.node.rounds.edge_task import Waiting
    from blindmatch.node.rounds.receiver import Progress
else:
    bars = LazyModule("rich.progress")

_STEPS = {
    "prepare": "blinding our elements",
    "wait": "the sender prepares",
    "exchange": "exchanging",
    "tags": "fetching tags",
    "search": "searching",
    "close": "closed",
}

_BARS = 20
"""Edges with a bar each; of more, those that are closed leave the screen."""


@contextmanager
def drawn_edges() -> Iterator[tuple[Progress, Waiting]]:
    """One bar per edge on stderr; without a terminal, one line per step. Edges that wait say for whom and why."""
    last: dict[str, str] = {}
    if not watched():

        def say(edge: str, text: str) -> None:
            if last.get(edge) != text:
                last[edge] = text
                note(f"{edge}: {text}")

        def lines(edge: str, step: str, _done: int, _total: int) -> None:
            say(edge, _STEPS[step])

        yield lines, lambda edge, peer, reason: say(edge, f"waiting for {peer}: {reason}")
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=console(err=True)) as drawn:
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

        def waits(edge: str, peer: str, reason: str) -> None:
            drawn.update(task(edge), description=f"{edge}: waiting for {peer}: {reason}", total=None)

        yield update, waits
