"""What a schema can compare: kinds of field, and level tests on their canonical text.

`normalise` supplies nearly all of it; here stand the tests over two fields and those that only a model needs.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from blindmatch.protocol.linkage import normalise
from blindmatch.protocol.linkage.normalise.text import words

Test = Callable[[str], str]

GAP: Final = "|"
"""Parts the canonical texts of two fields."""
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
    """A postcode, of this country or another.

    Elsewhere a code of at most five digits names a town or a district, so it stays whole. What else is no postcode is
    a slip of the pen: it is parted before its last three characters.
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
    """The letters that a postcode begins with; of a code of figures the first two: a region."""
    letters = _LETTERS.match(canonical)
    return letters[0] if letters else canonical[:2]


def _loose_date(text: str) -> str:
    """A date; one of a day or month that does not exist stays as it is written: the slip may stand in both lists."""
    try:
        return normalise.date(text)
    except ValueError:
        written = _WRITTEN_DATE.fullmatch(text.strip())
        if not written or not _FIRST_YEAR <= int(written[1]) <= _LAST_YEAR:
            raise
        return "-".join(written.groups())


def _says_day(canonical: str) -> bool:
    """Whether a date has a day that means something: the first of January is what is written where only a year is known."""
    return len(canonical) == _DATE_LENGTH and not canonical.endswith(_NEW_YEAR)


def _part(*pieces: slice) -> Test:
    return lambda canonical: GAP.join(canonical[x] for x in pieces) if _says_day(canonical) else ""


def _either_day(canonical: str) -> str:
    """Year, and day and month in rising order."""
    return GAP.join((canonical[:4], *sorted((canonical[5:7], canonical[8:])))) if _says_day(canonical) else ""


def _either_way(canonical: str) -> str:
    """First forename and surname in alphabetical order; an initial alone is no name."""
    given, _, family = canonical.partition(GAP)
    first = given.partition(" ")[0]
    return GAP.join(sorted((first, family))) if len(first) > 1 and len(family) > 1 else ""


def _or_itself(test: Test) -> Test:
    """A sound that is never blank where the text is not: equal texts must agree on all that they imply."""
    return lambda canonical: test(canonical) or (canonical if len(canonical) > 1 else "")


def _given_or_itself(test: Test) -> Test:
    return lambda canonical: test(canonical) or normalise.LEVEL_TESTS["forenames"]["first-word"](canonical)


FIELD_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    **normalise.FIELD_KINDS,
    "code": _code,
    "loose-date": _loose_date,
}
"""Kind of field to the function that makes its text canonical; `ValueError` carries the reason."""

_FORENAMES = normalise.LEVEL_TESTS["forenames"]
_SURNAME = normalise.LEVEL_TESTS["surname"]

LEVEL_TESTS: Final[Mapping[str, Mapping[str, Test]]] = {
    **normalise.LEVEL_TESTS,
    "forenames": {
        **_FORENAMES,
        "metaphone": _given_or_itself(_FORENAMES["metaphone"]),
        "either-way": _either_way,
    },
    "surname": {**_SURNAME, "metaphone": _or_itself(_SURNAME["metaphone"])},
    "loose-date": {
        "full-date": _part(slice(None)),
        "unordered": _either_day,
        "year-day": _part(_YEAR, _DAY),
        "year-month": lambda canonical: canonical[:7] if len(canonical) >= len("YYYY-MM") else "",
        "month-day": _part(_MONTH, _DAY),
        "year": lambda canonical: canonical[:4],
    },
    "code": {
        "full": _whole_code,
        "sector": normalise.places.sector,
        "district": lambda canonical: canonical.partition(" ")[0],
        "area": _area,
    },
}
"""Kind of field to its tests; blank says nothing. A level over two fields gets both texts with `GAP` between."""
