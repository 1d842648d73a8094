"""Elements of charts in SVG, written without a drawing library."""

from collections.abc import Iterable, Sequence
from html import escape

INK = "#222222"
FAINT = "#dddddd"

Place = tuple[float, float]
"""x to the right and y down, in pixels."""


def document(title: str, width: int, height: int, parts: Iterable[str]) -> str:
    """A complete document with a white background and a title."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text((24, 28), title, size=16, weight="bold"),
    )
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def text(place: Place, content: str, *, anchor: str = "start", size: int = 12, weight: str = "normal") -> str:
    """A text at a place."""
    x, y = place
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{INK}">{escape(content)}</text>'
    )


def line(start: Place, end: Place, colour: str = INK, *, dash: str = "", width: int = 1) -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{_dashed(dash)}/>'
    )


def curve(places: Sequence[Place], colour: str, *, dash: str = "", dots: bool = True) -> list[str]:
    """A line through all places, with a dot on each if `dots`; nothing without places."""
    if not places:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    polyline = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{_dashed(dash)}/>'
    marks = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return [polyline, *(marks if dots else [])]


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
