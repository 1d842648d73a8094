"""Elements of the page: tables, bars, and number formats. Every value is escaped unless it is `Markup`."""

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """HTML that is inserted as it is."""

    __slots__ = ()


def octets(count: int) -> str:
    """Bytes in a unit that suits the size."""
    if count < 10_000:
        return f"{count:,} B"
    if count < 10_000_000:
        return f"{count / 1_000:,.0f} kB"
    return f"{count / 1_000_000:,.1f} MB"


def percent(share: float) -> str:
    """A share of 0 to 1 as a percentage with one decimal place."""
    return f"{100 * share:.1f} %"


def plural(count: int, noun: str) -> str:
    """A number with its noun, such as `1 area` or `7 areas`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return value
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


def table(
    texts: Sequence[str],
    numbers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    total: bool = False,
) -> str:
    """A table that scrolls on a small screen.

    Args:
        texts: headings of the first columns, which are left-aligned.
        numbers: headings of the other columns, which are right-aligned.
        rows: the values of all columns.
        caption: a title above the table.
        total: the last row is a total.
    """
    kinds = [""] * len(texts) + [' class="n"'] * len(numbers)
    content = list(rows)

    def line(cells: Sequence[object], tag: str, attribute: str = "") -> str:
        inner = (f"<{tag}{kind}>{_cell(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr{attribute}>{''.join(inner)}</tr>"

    lines = [line(cells, "td") for cells in content]
    if total:
        lines[-1] = line(content[-1], "td", ' class="sum"')
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{title}<thead>{line([*texts, *numbers], "th")}</thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def quiet(text: str) -> str:
    """A paragraph in a quieter colour."""
    return f'<p class="quiet">{escape(text)}</p>'


def bar(share: float, label: str) -> Markup:
    """A horizontal bar for a share of 0 to 1, with a label for screen readers."""
    value = min(max(share, 0.0), 1.0)
    return Markup(f'<meter min="0" max="1" value="{value:.3f}" aria-label="{escape(label)}"></meter>')
