"""`blindmatch round status`: every edge's state, progress and reason; once, or live."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from blindmatch.node.cli.common import console, make_table, moment, table
from blindmatch.node.cli.startup import LazyModule

if TYPE_CHECKING:
    from rich import console as consoles
    from rich import live

    from blindmatch.node.rounds.status import EdgeView
else:
    consoles, live = LazyModule("rich.console"), LazyModule("rich.live")

SHORT_ROUND = 12
"""Hexadecimal digits of a round's id that people see."""

REDRAW_SECONDS = 1.0

_OTHERS = 20
"""Edges between others that are named; more are only counted."""

_AROUND = 6
"""Lines of a terminal that a live table leaves free: its heading, its frame, the counts."""

COLUMNS = ("round", "edge", "we are", "other side", "state", "chunks", "last change")

Views = Callable[[], "list[EdgeView]"]


def show(views: Sequence[EdgeView]) -> None:
    """One table, and a line for every edge that has a reason to stand where it does."""
    table(COLUMNS, [_cells(view) for view in _named(views)], empty="No rounds." if not views else "")
    for line in _reasons(views):
        typer.echo(line)
    if views:
        typer.echo(counts(views))


def watch(views: Views, *, pause: Callable[[float], None] = time.sleep) -> None:
    """The table again and again until every edge is over; where nobody watches a terminal, a line per change."""
    screen = console()
    if screen.is_terminal:
        with live.Live(console=screen, auto_refresh=False) as drawn:
            while True:
                now = views()
                shown = _fitting(now, screen.height - _AROUND)
                made = make_table(COLUMNS, [_cells(view) for view in shown])
                reasons = _reasons(shown) if 2 * len(shown) + _AROUND <= screen.height else ()
                drawn.update(consoles.Group(counts(now), made, *reasons), refresh=True)
                if all(view.over for view in now):
                    break
                pause(REDRAW_SECONDS)
        typer.echo(counts(now))
        return
    told: dict[str, str] = {}
    while True:
        now = views()
        for view in now:
            line = _line(view)
            if told.get(view.edge) != line:
                told[view.edge] = line
                typer.echo(line)
        if all(view.over for view in now):
            break
        pause(REDRAW_SECONDS)
    typer.echo(counts(now))


def _named(views: Sequence[EdgeView]) -> Sequence[EdgeView]:
    """Without the edges between others, where they are many."""
    own = [view for view in views if view.role]
    return views if len(views) - len(own) <= _OTHERS else own


def _fitting(views: Sequence[EdgeView], lines: int) -> Sequence[EdgeView]:
    """What a terminal of so many lines can show: of more edges, those that are not over."""
    if len(views) <= lines:
        return views
    return [view for view in views if not view.over][: max(lines, 1)]


def counts(views: Sequence[EdgeView]) -> str:
    """How many edges stand where, in one line."""
    states = [view.state for view in views]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def to_json(view: EdgeView) -> dict[str, Any]:
    """One edge for a program."""
    return {
        "round": None if view.round_id is None else view.round_id.hex(),
        "edge": view.edge,
        "agreement": view.agreement_id.hex(),
        "role": view.role or None,
        "peer": view.peer,
        "state": view.state,
        "step": view.step or None,
        "over": view.over,
        "chunks_done": view.done,
        "chunks": view.total,
        "started": _iso(view.started_at),
        "updated": _iso(view.updated_at),
        "finished": _iso(view.finished_at),
        "code": view.code,
        "reason": view.reason,
    }


def _cells(view: EdgeView) -> tuple[str, ...]:
    changed = view.finished_at or view.updated_at
    return (
        "" if view.round_id is None else view.round_id.hex()[:SHORT_ROUND],
        view.edge,
        view.role,
        view.peer,
        view.state,
        _chunks(view),
        "" if changed is None else moment(changed),
    )


def _reasons(views: Sequence[EdgeView]) -> list[str]:
    return [f"{view.edge}: {why}" for view in views if (why := _why(view))]


def _line(view: EdgeView) -> str:
    parts = (view.edge, view.state, _chunks(view), _why(view))
    return ": ".join(
        part for part in (parts[0], " ".join(part for part in parts[1:3] if part), parts[3]) if part
    )


def _chunks(view: EdgeView) -> str:
    return f"{view.done}/{view.total}" if view.total else ""


def _why(view: EdgeView) -> str:
    """The reason, and for a waiting edge where it waits."""
    at = f"at {view.step}: " if view.state == "waiting" else ""
    code = f"{view.code}: " if view.code else ""
    return f"{at}{code}{view.reason}" if view.reason else ""


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
