"""Dates in the forms that files use, to `YYYY-MM-DD`, `YYYY-MM` or `YYYY`."""

import calendar
import re
import unicodedata
from typing import Final

FIRST_YEAR: Final = 1000
LAST_YEAR: Final = 2100

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

# A time after the date is what spreadsheets and Parquet add to a day; only midnight is one.
_MIDNIGHT = re.compile(r"[t ]00:00(?::00(?:\.0+)?)?(?:z|\+00:00)?$")
_YEAR_FIRST = re.compile(r"(\d{4})(?:([-/. ])(\d{1,2})(?:\2(\d{1,2}))?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_DAY_FIRST = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/. ](\d{4})")
_WORDED = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[-/. ]+(?:of )?)?([a-z]+)\.?[-/., ]+(?:(\d{1,2})(?:st|nd|rd|th)?,? +)?(\d{4})"
)
_SHORT_YEAR = re.compile(r"\d{1,2}[-/. ](?:\d{1,2}|[a-z]+)[-/. ]'?\d{2}")


def date(text: str, *, day_first: bool = True) -> str:
    """A date as `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where the text says no more; blank stays blank.

    Args:
        text: ISO, `dd/mm/yyyy`, `dd Mon yyyy`, `Mon yyyy`, `mm/yyyy`, `yyyymmdd`, `yyyymm`, `yyyy`.
        day_first: whether `03/04/1970` is in April (True) or in March.

    Raises:
        ValueError: an unknown form, a year of two digits, or a day that does not exist.
    """
    cleaned = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not cleaned:
        return ""
    cleaned = _MIDNIGHT.sub("", cleaned)
    if match := _YEAR_FIRST.fullmatch(cleaned):
        return _checked(match[1], match[3], match[4])
    if match := _COMPACT.fullmatch(cleaned):
        return _checked(match[1], match[2], match[3])
    if match := _DAY_FIRST.fullmatch(cleaned):
        day, month = (match[1], match[3]) if day_first else (match[3], match[1])
        return _checked(match[4], month, day)
    if match := _MONTH_YEAR.fullmatch(cleaned):
        return _checked(match[2], match[1], None)
    if match := _WORDED.fullmatch(cleaned):
        month_number = _MONTHS.get(match[2])
        if month_number is None:
            raise ValueError("unknown month")
        if match[1] and match[3]:
            raise ValueError("not a date in any known form")
        return _checked(match[4], str(month_number), match[1] or match[3])
    if _SHORT_YEAR.fullmatch(cleaned):
        raise ValueError("the year needs four digits")
    raise ValueError("not a date in any known form")


def _checked(year_text: str, month_text: str | None, day_text: str | None) -> str:
    year = int(year_text)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError("the year is out of range")
    if month_text is None:
        return f"{year:04d}"
    month = int(month_text)
    if not 1 <= month <= 12:
        raise ValueError("there is no such month")
    if day_text is None:
        return f"{year:04d}-{month:02d}"
    day = int(day_text)
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueError("there is no such day in that month")
    return f"{year:04d}-{month:02d}-{day:02d}"
