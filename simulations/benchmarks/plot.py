"""Cost against n on two logarithmic axes: as SVG, and as text for a terminal. Readable in black and white."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from blindmatch.node.evaluation import svg

WIDTH: Final = 980
HEIGHT: Final = 480
_LEFT: Final = 80
_TOP: Final = 56
_PLOT_WIDTH: Final = 500
_PLOT_HEIGHT: Final = 350
_COLOURS: Final = ("#1f4e79", "#b5541c", "#3a7d44", "#7a3e8e", "#8a6d00", "#555555")
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "4 4", "12 4")
_MARKS: Final = "ox+*#@%&"


Cost = TypeVar("Cost")


@dataclass(frozen=True)
class Series:
    """One line of a plot: its name, and its points (n, cost), all above zero."""

    name: str
    points: tuple[tuple[float, float], ...]


def series_by(
    costs: Iterable[Cost], name: Callable[[Cost], str], point: Callable[[Cost], tuple[float, float]]
) -> list[Series]:
    """A series for each name, with the points of its costs."""
    points: dict[str, list[tuple[float, float]]] = {}
    for cost in costs:
        points.setdefault(name(cost), []).append(point(cost))
    return [Series(each, tuple(values)) for each, values in points.items()]


@dataclass(frozen=True)
class Axes:
    """The texts of a plot; `x` and `y` name the quantities along the axes, with units."""

    title: str
    x: str
    y: str


@dataclass(frozen=True)
class _Frame:
    """The range of decades of a plot."""

    low: tuple[int, int]
    high: tuple[int, int]

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """The position of a point, from 0 to 1 along both axes."""
        x, y = (
            (math.log10(value) - low) / (high - low)
            for value, low, high in zip(point, self.low, self.high, strict=True)
        )
        return x, y


def _shown(series: Sequence[Series]) -> list[Series]:
    """The series without points that a logarithmic axis cannot show."""
    positive = [Series(s.name, tuple(p for p in s.points if p[0] > 0 and p[1] > 0)) for s in series]
    return [s for s in positive if s.points]


def _frame(series: Sequence[Series]) -> _Frame:
    points = [point for each in series for point in each.points]
    low, high = [], []
    for axis in (0, 1):
        values = [math.log10(point[axis]) for point in points]
        low.append(math.floor(min(values) + 1e-9))
        high.append(max(math.ceil(max(values) - 1e-9), low[-1] + 1))
    return _Frame((low[0], low[1]), (high[0], high[1]))


def label(value: float) -> str:
    """A power of ten in ordinary notation: 0.001, 10, 1,000,000."""
    return f"{value:,.0f}" if value >= 1 else f"{value:.12f}".rstrip("0")


def draw(axes: Axes, series: Sequence[Series]) -> str:
    """An SVG document. Points at zero or below are left out; without points it shows a message."""
    shown = _shown(series)
    if not shown:
        nothing = svg.text((_LEFT, _TOP + 40), "Nothing was measured.")
        return svg.document(axes.title, WIDTH, HEIGHT, [nothing])
    frame = _frame(shown)
    parts = _grid(frame, axes)
    for index, each in enumerate(shown):
        colour, dash = _COLOURS[index % len(_COLOURS)], _DASHES[index % len(_DASHES)]
        parts += svg.curve([_across(frame, point) for point in sorted(each.points)], colour, dash=dash)
        left, y = _LEFT + _PLOT_WIDTH + 24, _TOP + 14 + 22 * index
        parts.append(svg.line((left, y), (left + 30, y), colour, dash=dash, width=2))
        parts.append(svg.text((left + 38, y + 4), each.name))
    return svg.document(axes.title, WIDTH, HEIGHT, parts)


def _across(frame: _Frame, point: tuple[float, float]) -> tuple[float, float]:
    x, y = frame.place(point)
    return _LEFT + x * _PLOT_WIDTH, _TOP + (1 - y) * _PLOT_HEIGHT


def _grid(frame: _Frame, axes: Axes) -> list[str]:
    parts = []
    bottom, right = _TOP + _PLOT_HEIGHT, _LEFT + _PLOT_WIDTH
    for decade in range(frame.low[0], frame.high[0] + 1):
        x, _ = _across(frame, (10.0**decade, 10.0 ** frame.low[1]))
        parts.append(svg.line((x, _TOP), (x, bottom), svg.FAINT))
        parts.append(svg.text((x, bottom + 18), label(10.0**decade), anchor="middle"))
    for decade in range(frame.low[1], frame.high[1] + 1):
        _, y = _across(frame, (10.0 ** frame.low[0], 10.0**decade))
        parts.append(svg.line((_LEFT, y), (right, y), svg.FAINT))
        parts.append(svg.text((_LEFT - 8, y + 4), label(10.0**decade), anchor="end"))
    parts.append(svg.text((_LEFT + _PLOT_WIDTH / 2, bottom + 40), axes.x, anchor="middle"))
    parts.append(svg.text((24, _TOP - 8), axes.y))
    return parts


def sketch(axes: Axes, series: Sequence[Series], *, width: int = 60, height: int = 14) -> list[str]:
    """The plot as lines of text, with one mark per series; where two meet, the first series is shown."""
    shown = _shown(series)
    if not shown:
        return ["Nothing was measured."]
    frame = _frame(shown)
    cells = [[" "] * width for _ in range(height)]
    for index, each in reversed(list(enumerate(shown))):
        for point in each.points:
            x, y = frame.place(point)
            cells[round((1 - y) * (height - 1))][round(x * (width - 1))] = _MARKS[index % len(_MARKS)]
    ticks = {
        round((1 - (d - frame.low[1]) / (frame.high[1] - frame.low[1])) * (height - 1)): label(10.0**d)
        for d in range(frame.low[1], frame.high[1] + 1)
    }
    margin = max(len(text) for text in ticks.values())
    lines = [axes.y]
    lines += [f"{ticks.get(row, ''):>{margin}} |{''.join(line)}".rstrip() for row, line in enumerate(cells)]
    lines.append(f"{'':>{margin}} +{'-' * width}")
    first, last = label(10.0 ** frame.low[0]), label(10.0 ** frame.high[0])
    lines.append(f"{'':>{margin}}  {first}{axes.x:^{max(width - len(first) - len(last), 0)}}{last}")
    lines += [f"{'':>{margin}}  {_MARKS[i % len(_MARKS)]} {each.name}" for i, each in enumerate(shown)]
    return lines
