"""The kinds of field that a schema can compare, and the level tests on their canonical text.

`normalise` defines most of them; this module adds the tests over two fields, and those that only a model uses.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from blindmatch.protocol.linkage import normalise
from blindmatch.protocol.linkage.normalise.text import words

Test = Callable[[str], str]

GAP: Final = "|"
"""Separates the canonical texts of two fields."""
_SHORTEST_CODE: Final = 3
_LONGEST_CODE: Final = 9
_DISTRICT_DIGITS: Final = 5
_WRITTEN_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_LETTERS: Final = re.compile(r"[A-Z]+")
_FIRST_YEAR: Final = 1000
_LAST_YEAR: Final = 2100
_DATE_LENGTH: Final = len("YYYY-MM-DD")
_NEW_YEAR: Final = "-01-01"
_YEAR, _MONTH, _DAY = slice(0, 4), slice(5, 7), slice(8, 10)


def _code(text: str) -> str:
    """A postcode of the United Kingdom or of another country.

    A foreign code of at most five digits identifies a town or a district, and is not split. Any other text is a misspelt
    postcode: it is split before its last three characters.
    """
    try:
        return normalise.postcode(text)
    except ValueError:
        joined = "".join(words(text)).upper()
        if not _SHORTEST_CODE <= len(joined) <= _LONGEST_CODE or not any(map(str.isdigit, joined)):
            raise
        if joined.isdigit() and len(joined) <= _DISTRICT_DIGITS:
            return joined
        cut = max(2, len(joined) - 3)
        return f"{joined[:cut]} {joined[cut:]}"


def _whole_code(canonical: str) -> str:
    return canonical if len(canonical.partition(" ")[2]) > 1 else ""


def _area(canonical: str) -> str:
    """The leading letters of a postcode, or the first two digits of a numeric code: a region."""
    letters = _LETTERS.match(canonical)
    return letters[0] if letters else canonical[:2]


def _loose_date(text: str) -> str:
    """A date. A date whose day or month does not exist is not changed: both lists may have the same error."""
    try:
        return normalise.date(text)
    except ValueError:
        written = _WRITTEN_DATE.fullmatch(text.strip())
        if not written or not _FIRST_YEAR <= int(written[1]) <= _LAST_YEAR:
            raise
        return "-".join(written.groups())


def _has_day(canonical: str) -> bool:
    """Whether a date has a meaningful day: many files have 1 January where only the year is known."""
    return len(canonical) == _DATE_LENGTH and not canonical.endswith(_NEW_YEAR)


def _day_test(*pieces: slice) -> Test:
    return lambda canonical: GAP.join(canonical[x] for x in pieces) if _has_day(canonical) else ""


def _either_day(canonical: str) -> str:
    """The year, and the day and month in ascending order."""
    return GAP.join((canonical[:4], *sorted((canonical[5:7], canonical[8:])))) if _has_day(canonical) else ""


def _either_way(canonical: str) -> str:
    """The first forename and the surname in alphabetical order; blank if either is an initial."""
    forenames, _, family = canonical.partition(GAP)
    first = forenames.partition(" ")[0]
    return GAP.join(sorted((first, family))) if len(first) > 1 and len(family) > 1 else ""


def _or_itself(test: Test) -> Test:
    """A phonetic test that is never blank for a name: equal texts must agree at every level that they imply."""
    return lambda canonical: test(canonical) or (canonical if len(canonical) > 1 else "")


def _first_forename_or_itself(test: Test) -> Test:
    return lambda canonical: test(canonical) or normalise.LEVEL_TESTS["forenames"]["first-word"](canonical)


FIELD_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    **normalise.FIELD_KINDS,
    "code": _code,
    "loose-date": _loose_date,
}
"""Kind of field to the function that makes its text canonical; it raises `ValueError` with the reason."""

_FORENAMES = normalise.LEVEL_TESTS["forenames"]
_SURNAME = normalise.LEVEL_TESTS["surname"]

LEVEL_TESTS: Final[Mapping[str, Mapping[str, Test]]] = {
    **normalise.LEVEL_TESTS,
    "forenames": {
        **_FORENAMES,
        "metaphone": _first_forename_or_itself(_FORENAMES["metaphone"]),
        "either-way": _either_way,
    },
    "surname": {**_SURNAME, "metaphone": _or_itself(_SURNAME["metaphone"])},
    "loose-date": {
        "full-date": _day_test(slice(None)),
        "unordered": _either_day,
        "year-day": _day_test(_YEAR, _DAY),
        "year-month": lambda canonical: canonical[:7] if len(canonical) >= len("YYYY-MM") else "",
        "month-day": _day_test(_MONTH, _DAY),
        "year": lambda canonical: canonical[:4],
    },
    "code": {
        "full": _whole_code,
        "sector": normalise.places.sector,
        "district": lambda canonical: canonical.partition(" ")[0],
        "area": _area,
    },
}
"""Kind of field to its tests; a blank result is missing. A level over two fields takes both texts, separated by `GAP`."""

_FIRST_FORENAME: Final = frozenset({"first-word", "nickname", "metaphone", "first3", "initial"})


def view(kind: str, tests: Iterable[str]) -> Test | None:
    """The part of a canonical text that a field's tests use, as a function; None if they use all of it."""
    return _first_forename if kind == "forenames" and _FIRST_FORENAME.issuperset(tests) else None


def _first_forename(canonical: str) -> str:
    return canonical.partition(" ")[0]
