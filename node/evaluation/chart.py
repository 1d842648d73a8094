"""The chart: precision and recall by number of keys and by share of false leads, as SVG.

Two panels of two lines each, readable in black and white, drawn without a library.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from blindmatch.node.evaluation import svg

WIDTH: Final = 960
HEIGHT: Final = 420
_PANEL_WIDTH: Final = 380
_PANEL_HEIGHT: Final = 260
_TOP: Final = 80
_LEFT: Final = (60, 540)
_PRECISION: Final = "#1f4e79"
_RECALL: Final = "#b5541c"
_DOTTED: Final = 30
"""A curve of this many points or more has no dots."""


@dataclass(frozen=True)
class Point:
    """The precision and recall of one setting."""

    setting: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Panel:
    """One half of the chart. `logarithmic` is about the x axis; `current` is the setting in use."""

    title: str
    axis: str
    points: tuple[Point, ...]
    current: float
    ticks: tuple[float, ...]
    logarithmic: bool = False
    percent: bool = False


def draw(title: str, panels: Sequence[Panel]) -> str:
    """An SVG document of up to two panels."""
    parts = _legend()
    for left, panel in zip(_LEFT, panels, strict=False):
        parts += _panel(left, panel)
    return svg.document(title, WIDTH, HEIGHT, parts)


def _legend() -> list[str]:
    parts = []
    for x, name, colour, dash in ((60, "precision", _PRECISION, ""), (170, "recall", _RECALL, "6 3")):
        parts += [svg.line((x, 46), (x + 28, 46), colour, dash=dash), svg.text((x + 34, 50), name)]
    return parts


def _scale(panel: Panel) -> Callable[[float], float]:
    """A setting to its position along the axis, 0 to 1."""
    transform: Callable[[float], float] = math.log if panel.logarithmic else float
    values = [transform(value) for value in (*(point.setting for point in panel.points), *panel.ticks)]
    low, high = min(values), max(values)
    return lambda value: (transform(value) - low) / ((high - low) or 1.0)


def _panel(left: int, panel: Panel) -> list[str]:
    bottom = _TOP + _PANEL_HEIGHT
    scale = _scale(panel)

    def across(value: float) -> float:
        return left + scale(value) * _PANEL_WIDTH

    def up(share: float) -> float:
        return bottom - share * _PANEL_HEIGHT

    parts = [svg.text((left, _TOP - 12), panel.title, weight="bold")]
    for fifth in range(6):
        share = fifth / 5
        parts += [
            svg.line((left, up(share)), (left + _PANEL_WIDTH, up(share)), svg.FAINT if fifth else svg.INK),
            svg.text((left - 8, up(share) + 4), f"{share:.1f}", anchor="end"),
        ]
    for tick in panel.ticks:
        label = f"{tick * 100:g}%" if panel.percent else f"{tick:g}"
        parts += [
            svg.line((across(tick), bottom), (across(tick), bottom + 5)),
            svg.text((across(tick), bottom + 18), label, anchor="middle"),
        ]
    parts.append(svg.text((left + _PANEL_WIDTH / 2, bottom + 40), panel.axis, anchor="middle"))
    if panel.points and 0 <= scale(panel.current) <= 1:
        x = across(panel.current)
        parts.append(svg.line((x, _TOP), (x, bottom), "#888888", dash="2 3"))
    precision = [(across(point.setting), up(point.precision)) for point in panel.points]
    recall = [(across(point.setting), up(point.recall)) for point in panel.points]
    dots = len(panel.points) < _DOTTED
    curves = svg.curve(precision, _PRECISION, dots=dots) + svg.curve(recall, _RECALL, dash="6 3", dots=dots)
    return parts + curves
