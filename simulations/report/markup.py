"""Pieces of the page: cells, tables, bars, and numbers as people read them. Cells are escaped already."""

from collections.abc import Iterable, Sequence
from html import escape

BAR_WIDTH = 160
BAR_HEIGHT = 12


def octets(count: int) -> str:
    """Bytes in the unit that reads best."""
    if count < 10_000:
        return f"{count:,} B"
    if count < 10_000_000:
        return f"{count / 1_000:,.0f} kB"
    return f"{count / 1_000_000:,.1f} MB"


def percent(share: float) -> str:
    """A share with one decimal place."""
    return f"{100 * share:.1f} %"


def row(cells: Iterable[tuple[str, bool]], css: str = "") -> str:
    """A table row; True marks a number."""
    inner = "".join(f'<td class="n">{text}</td>' if number else f"<td>{text}</td>" for text, number in cells)
    return f'<tr class="{css}">{inner}</tr>' if css else f"<tr>{inner}</tr>"


def table(headings: Sequence[tuple[str, bool]], rows: Iterable[str], caption: str = "") -> str:
    """A table that scrolls by itself on a small screen; True marks a column of numbers."""
    head = "".join(
        f'<th class="n">{name}</th>' if number else f"<th>{name}</th>" for name, number in headings
    )
    said = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{said}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def bar(share: float, words: str) -> str:
    """A horizontal bar for a share of 0 to 1, with the same in words for those who hear the page."""
    filled = round(BAR_WIDTH * min(max(share, 0.0), 1.0))
    return (
        f'<svg class="bar" role="img" aria-label="{escape(words)}" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" '
        f'viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}"><rect class="track" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" rx="3"/>'
        f'<rect class="fill" width="{filled}" height="{BAR_HEIGHT}" rx="3"/></svg>'
    )
