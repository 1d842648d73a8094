"""The level tests of a schema: kind of field to canonical text, and canonical text to the text that must be equal.

Format 1 takes its tests from `normalise`; format 2 adds the derived forms that its model compares.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from anyascii import anyascii

from blindmatch.protocol.linkage import normalise

Test = Callable[[str], str]

GAP: Final = "|"
"""Parts the pieces of a canonical text that has several; no piece contains it."""

_LETTERS = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\d+")


def _plain(text: str) -> str:
    return " ".join(_LETTERS.sub(" ", anyascii(text).casefold()).split())


def _compact(text: str) -> str:
    return _plain(text).replace(" ", "")


def _soft_postcode(text: str) -> str:
    try:
        return normalise.postcode(text)
    except ValueError:
        code = _compact(text).upper()
        if not 3 <= len(code) <= 8:
            raise
        # Other countries' codes, and slips of the pen: all but the last characters name the district.
        return f"{code[: max(2, len(code) - 3)]} {code[-3:]}" if len(code) > 4 else f"{code[:2]} {code[2:]}"


def _address(text: str) -> str:
    words = _plain(text).split()
    numbers = [word for word in words if word[0].isdigit()]
    street = [word for word in words if not word[0].isdigit()]
    return f"{numbers[0] if numbers else ''}{GAP}{''.join(street)}" if words else ""


def _metaphone(word: str) -> str:
    from jellyfish import metaphone  # noqa: PLC0415

    return metaphone(word)


def _piece(index: int) -> Test:
    return lambda text: text.split(GAP)[index] if text else ""


def _whole_address(text: str) -> str:
    return text if text and all(text.split(GAP)) else ""


def _first(text: str) -> str:
    return text.partition(" ")[0]


def _spelled(text: str) -> str:
    return first if len(first := _first(text)) > 1 else ""


def _sound(text: str) -> str:
    return _metaphone(first) if len(first := _first(text)) > 1 else ""


def _first3(text: str) -> str:
    return first[:3] if len(first := _first(text)) > 1 else ""


def _nickname(text: str) -> str:
    return _spelled(text)


def _date_part(*slices: slice) -> Test:
    return lambda text: GAP.join(text[part] for part in slices) if len(text) == 10 else ""


def _swapped_date(text: str) -> str:
    return "-".join((text[:4], *sorted((text[5:7], text[8:10])))) if len(text) == 10 else ""


def _unordered(text: str) -> str:
    pieces = text.split(GAP)
    pieces[0] = _spelled(pieces[0])
    return GAP.join(sorted(pieces)) if all(pieces) and len(pieces) == 2 else ""


_YEAR, _MONTH, _DAY = slice(0, 4), slice(5, 7), slice(8, 10)

FIELD_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    **normalise.FIELD_KINDS,
    "code": _soft_postcode,
    "address": _address,
    "town": _compact,
    "company-name": _compact,
    "vat-number": _compact,
    "phone": _compact,
    "email": lambda text: text.strip().casefold(),
    "bank-account": _compact,
    "vehicle": _compact,
}
"""Kind of field to the function that makes its text canonical; `ValueError` carries the reason."""

_EXACT: Final[Mapping[str, Test]] = {"exact": lambda text: text}

LEVEL_TESTS: Final[Mapping[str, Mapping[str, Test]]] = {
    **normalise.LEVEL_TESTS,
    "forenames": {
        **normalise.LEVEL_TESTS["forenames"],
        "spelled": _spelled,
        "nickname": _nickname,
        "sound": _sound,
        "first-3": _first3,
        "initial": lambda text: text[:1],
        "either-way": _unordered,
    },
    "surname": {
        "exact": lambda text: text,
        "sound": lambda text: _metaphone(text) if len(text) > 1 else "",
        "first-3": lambda text: text[:3] if len(text) > 1 else "",
        "initial": lambda text: text[:1],
    },
    "date": {
        **normalise.LEVEL_TESTS["date"],
        "swapped": _swapped_date,
        "year-day": _date_part(_YEAR, _DAY),
        "month-day": _date_part(_MONTH, _DAY),
        "year": lambda text: text[:4],
    },
    "code": {"exact": lambda text: text, "district": _first},
    "address": {"whole": _whole_address, "street": _piece(1), "number": _piece(0)},
    "town": _EXACT,
    "company-name": _EXACT,
    "vat-number": _EXACT,
    "phone": _EXACT,
    "email": _EXACT,
    "bank-account": _EXACT,
    "vehicle": _EXACT,
}
"""Kind of field to its tests; blank says nothing. A level over two fields gets both texts with `GAP` between."""
