"""The picture: precision and recall against the number of keys and against the share of false leads, as SVG.

Made by hand, without a drawing library: two panels of two lines each, readable in black and white.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 960
HEIGHT: Final = 420
_PANEL_WIDTH: Final = 380
_PANEL_HEIGHT: Final = 260
_TOP: Final = 80
_LEFT: Final = (60, 540)
_PRECISION: Final = "#1f4e79"
_RECALL: Final = "#b5541c"


@dataclass(frozen=True)
class Point:
    """One setting and what it gave."""

    at: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Panel:
    """One half of the picture; `logarithmic` along x; `marked` is the setting in use."""

    title: str
    axis: str
    points: tuple[Point, ...]
    marked: float
    ticks: tuple[float, ...]
    logarithmic: bool = False
    percent: bool = False


def draw(title: str, panels: Sequence[Panel]) -> str:
    """An SVG document of up to two panels."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(24, 28, title, size=16, weight="bold"),
        *_legend(),
    ]
    for left, panel in zip(_LEFT, panels, strict=False):
        parts += _panel(left, panel)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="#222222">{escape(text)}</text>'
    )


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, dash: str = "") -> str:
    style = f' stroke-dasharray="{dash}"' if dash else ""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{style}/>'


def _legend() -> list[str]:
    parts = []
    for x, name, colour, dash in ((60, "precision", _PRECISION, ""), (170, "recall", _RECALL, "6 3")):
        parts += [_line((x, 46), (x + 28, 46), colour, dash), _text(x + 34, 50, name)]
    return parts


def _scale(panel: Panel) -> Callable[[float], float]:
    """From a setting to 0…1 along the axis."""
    place: Callable[[float], float] = math.log if panel.logarithmic else float
    values = [place(value) for value in (*(point.at for point in panel.points), *panel.ticks)]
    low, high = min(values), max(values)
    return lambda value: (place(value) - low) / ((high - low) or 1.0)


def _panel(left: int, panel: Panel) -> list[str]:
    bottom = _TOP + _PANEL_HEIGHT
    scale = _scale(panel)

    def across(value: float) -> float:
        return left + scale(value) * _PANEL_WIDTH

    def up(share: float) -> float:
        return bottom - share * _PANEL_HEIGHT

    parts = [_text(left, _TOP - 12, panel.title, weight="bold")]
    for fifth in range(6):
        share = fifth / 5
        parts += [
            _line((left, up(share)), (left + _PANEL_WIDTH, up(share)), "#dddddd" if fifth else "#222222"),
            _text(left - 8, up(share) + 4, f"{share:.1f}", anchor="end"),
        ]
    for tick in panel.ticks:
        label = f"{tick * 100:g}%" if panel.percent else f"{tick:g}"
        parts += [
            _line((across(tick), bottom), (across(tick), bottom + 5), "#222222"),
            _text(across(tick), bottom + 18, label, anchor="middle"),
        ]
    parts.append(_text(left + _PANEL_WIDTH / 2, bottom + 40, panel.axis, anchor="middle"))
    if panel.points and 0 <= scale(panel.marked) <= 1:
        here = across(panel.marked)
        parts.append(_line((here, _TOP), (here, bottom), "#888888", "2 3"))
    precision = [(across(point.at), up(point.precision)) for point in panel.points]
    recall = [(across(point.at), up(point.recall)) for point in panel.points]
    return [*parts, *_curve(precision, _PRECISION, ""), *_curve(recall, _RECALL, "6 3")]


def _curve(places: Sequence[tuple[float, float]], colour: str, dash: str) -> list[str]:
    if not places:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    style = f' stroke-dasharray="{dash}"' if dash else ""
    dots = (
        [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        if len(places) < 30
        else []
    )
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{style}/>', *dots]
