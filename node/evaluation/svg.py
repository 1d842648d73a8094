"""The strokes of a picture in SVG: what our own charts are put together from. By hand, without a drawing library or a network."""

from collections.abc import Iterable, Sequence
from html import escape

INK = "#222222"
FAINT = "#dddddd"

Place = tuple[float, float]
"""Across and down, in pixels."""


def document(title: str, width: int, height: int, parts: Iterable[str]) -> str:
    """A whole picture on white, with its title."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text((24, 28), title, size=16, weight="bold"),
    )
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def text(place: Place, words: str, *, anchor: str = "start", size: int = 12, weight: str = "normal") -> str:
    """Words at a place."""
    x, y = place
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{INK}">{escape(words)}</text>'
    )


def line(start: Place, end: Place, colour: str = INK, *, dash: str = "", width: int = 1) -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{_dashed(dash)}/>'
    )


def curve(places: Sequence[Place], colour: str, *, dash: str = "", dots: bool = True) -> list[str]:
    """A line through all places, with a dot on each if wanted; nothing for no places."""
    if not places:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{_dashed(dash)}/>'
    marks = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return [drawn, *(marks if dots else [])]


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
