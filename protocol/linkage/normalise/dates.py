"""Dates in the forms that files use, to `YYYY-MM-DD`, `YYYY-MM` or `YYYY`."""

import calendar
import contextlib
import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED

FIRST_YEAR: Final = 1000
LAST_YEAR: Final = 2100

YEAR_OUT_OF_RANGE: Final = "the year is out of range"
DATE_NOT_KNOWN: Final = "a stand-in for a date that is not known"

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june",
            "jul july", "aug august", "sep sept september", "oct october", "nov november", "dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

# Spreadsheets and Parquet add the time of midnight to a date; no other time is accepted.
_MIDNIGHT = re.compile(r"(?:[t ]00:00(?::00(?:\.0+)?)?(?:z| ?utc|[+-]00:?00)?| 12:00(?::00)? am)$")
_WEEKDAY = re.compile(r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[., ]+(?=[\da-z])")
_FLOAT = re.compile(r"(\d{4,8})\.0")
_YEAR_FIRST = re.compile(r"(\d{4})(?:([-/. ])(\d{1,2})(?:\2(\d{1,2}))?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_SERIAL = re.compile(r"\d{5}")
_DAY_FIRST = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/. ](\d{4})")
_WORDED = re.compile(
    r"(?:(?:the )?(\d{1,2})(?:st|nd|rd|th)?[-/., ]*(?:of )?)?([a-z]+)\.?[-/., ]*(?:(\d{1,2})(?:st|nd|rd|th)?,? +)?(\d{4})"
)
_WORDED_YEAR_FIRST = re.compile(r"(\d{4})[-/., ]+([a-z]+)\.?(?:[-/., ]+(\d{1,2})(?:st|nd|rd|th)?)?")
_SHORT_YEAR = re.compile(r"\d{1,2}[-/. ](?:\d{1,2}|[a-z]+)[-/. ]'?\d{2}|[a-z]+[-/. ]'?\d{2}")

_SERIAL_ZERO: Final = dt.date(1899, 12, 30).toordinal()
_SERIALS: Final = range(10_000, 73_051)  # May 1927 to the end of 2099


class ImpossibleDateError(ValueError):
    """A date in a known form whose month or day does not exist."""

    def __init__(self, reason: str, *written: str) -> None:
        super().__init__(reason)
        self.written = written
        """Year, month and day as written; the day can be blank."""


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date with a year, and a month and a day if they are known."""

    year: int
    month: int | None = None
    day: int | None = None

    def __str__(self) -> str:
        """`YYYY-MM-DD`, `YYYY-MM` or `YYYY`."""
        if self.month is None:
            return f"{self.year:04d}"
        if self.day is None:
            return f"{self.year:04d}-{self.month:02d}"
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"


@lru_cache(maxsize=CACHED)
def parse(text: str, day_first: bool = True) -> PartialDate | None:
    """A date with the parts that the text has; None for blank text.

    Args:
        text: ISO, `dd/mm/yyyy`, `dd Mon yyyy`, `Mon yyyy`, `mm/yyyy`, `yyyymmdd`, `yyyymm`, `yyyy`, a spreadsheet's day
            number (five digits, counted from 1900). Day or month `00` means unknown.
        day_first: whether `03/04/1970` is in April (True) or in March.

    Raises:
        ValueError: an unknown form, a year of two digits, a day that does not exist, or 1900-01-01, which many files
            use as a placeholder.
    """
    cleaned = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not cleaned:
        return None
    parsed = _read(_FLOAT.sub(r"\1", _WEEKDAY.sub("", _MIDNIGHT.sub("", cleaned))), day_first=day_first)
    if parsed == PartialDate(1900, 1, 1):
        raise ValueError(DATE_NOT_KNOWN)
    return parsed


def date(text: str, *, day_first: bool = True) -> str:
    """A date as `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where the text has no more; blank for blank text.

    Raises:
        ValueError: as `parse`.
    """
    parsed = parse(text, day_first)
    return "" if parsed is None else str(parsed)


def lenient(text: str, *, day_first: bool = True) -> str:
    """The same as `date`, but for an impossible date the valid parts are kept: `1970-02-31` gives `1970-02`.

    A month above 12 that can be a day is exchanged with the day: `1970-25-03` gives `1970-03-25`.

    Raises:
        ValueError: the year cannot be read.
    """
    try:
        return date(text, day_first=day_first)
    except ImpossibleDateError as error:
        year, month, day = error.written
        for attempt in ((day, month), (month, ""), ("", "")):
            with contextlib.suppress(ValueError):
                return date("-".join(part for part in (year, *attempt) if part))
        raise


def _read(cleaned: str, *, day_first: bool) -> PartialDate:
    if match := _YEAR_FIRST.fullmatch(cleaned):
        return _checked(match[1], match[3], match[4])
    if match := _COMPACT.fullmatch(cleaned):
        return _checked(match[1], match[2], match[3])
    if match := _DAY_FIRST.fullmatch(cleaned):
        day, month = (match[1], match[3]) if day_first else (match[3], match[1])
        return _checked(match[4], month, day)
    if match := _MONTH_YEAR.fullmatch(cleaned):
        return _checked(match[2], match[1], None)
    if (match := _SERIAL.fullmatch(cleaned)) and int(match[0]) in _SERIALS:
        serial = dt.date.fromordinal(_SERIAL_ZERO + int(match[0]))
        return PartialDate(serial.year, serial.month, serial.day)
    return _read_words(cleaned)


def _read_words(cleaned: str) -> PartialDate:
    if match := _WORDED.fullmatch(cleaned):
        month = _month_number(match[2])
        if match[1] and match[3]:
            raise ValueError("not a date in any known form")
        return _checked(match[4], month, match[1] or match[3])
    if match := _WORDED_YEAR_FIRST.fullmatch(cleaned):
        return _checked(match[1], _month_number(match[2]), match[3])
    if _SHORT_YEAR.fullmatch(cleaned):
        raise ValueError("the year needs four digits")
    raise ValueError("not a date in any known form")


def _month_number(word: str) -> str:
    number = _MONTHS.get(word)
    if number is None:
        raise ValueError("unknown month")
    return str(number)


def _checked(year_text: str, month_text: str | None, day_text: str | None) -> PartialDate:
    year = int(year_text)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(YEAR_OUT_OF_RANGE)
    month, day = int(month_text or 0), int(day_text or 0)
    if month == 0 and day == 0:
        return PartialDate(year)
    if not 1 <= month <= 12:
        raise ImpossibleDateError("there is no such month", year_text, month_text or "", day_text or "")
    if day == 0:
        return PartialDate(year, month)
    if day > calendar.monthrange(year, month)[1]:
        raise ImpossibleDateError(
            "there is no such day in that month", year_text, month_text or "", day_text or ""
        )
    return PartialDate(year, month, day)


# Level tests on canonical text; blank where the date lacks a part.


def full(canonical: str) -> str:
    """The whole date."""
    return canonical if len(canonical) == len("YYYY-MM-DD") else ""


def unordered(canonical: str) -> str:
    """The whole date, the same for `1970-02-03` and `1970-03-02`: day and month that may have been swapped."""
    if not full(canonical) or canonical[8:] > "12":
        return full(canonical)
    low, high = sorted((canonical[5:7], canonical[8:]))
    return f"{canonical[:4]}-{low}-{high}"


def year_day(canonical: str) -> str:
    """Year and day, without the month."""
    return f"{canonical[:4]}--{canonical[8:]}" if full(canonical) else ""


def year_month(canonical: str) -> str:
    """Year and month."""
    return canonical[:7] if len(canonical) >= len("YYYY-MM") else ""


def month_day(canonical: str) -> str:
    """Month and day, without the year."""
    return canonical[5:] if full(canonical) else ""


def year(canonical: str) -> str:
    """The year."""
    return canonical[:4]


def month(canonical: str) -> str:
    """The month."""
    return canonical[5:7]
