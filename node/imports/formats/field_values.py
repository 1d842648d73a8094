"""Normalisation for importers: whether a text is a value of its field, and the parts of a name and an address.

Drafts have the text as written where the schema makes it canonical, and the canonical form where it depends on the file:
the order of day and month in a date.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from blindmatch.node.imports.formats.blank_values import IN_NAMES, IN_VALUES
from blindmatch.protocol.linkage import normalise
from blindmatch.protocol.linkage.normalise import (
    company_number,
    forenames,
    postcode,
    split_full_name,
    surname,
)
from blindmatch.protocol.linkage.normalise.address_endings import ending
from blindmatch.protocol.linkage.normalise.dates import (
    DATE_NOT_KNOWN,
    YEAR_OUT_OF_RANGE,
    date,
    lenient,
)

Check = Callable[[str, str], str]
"""(field, text) to the reason why the schema cannot use the text, or blank."""

_CACHED_VALUES: Final = 1 << 15
_SPREADSHEET_TEXT = re.compile(r'="([^"]*)"|\'([0-9].*)')
"""How a spreadsheet's export keeps the leading zeros of a number: `="01234567"`, `'01234567`."""
_PART_BEHIND_SLASH = re.compile(r"[0-9]\s*/\s*[0-9]")


def _company_number(text: str) -> str:
    if match := _SPREADSHEET_TEXT.fullmatch(text.strip()):
        text = match[1] or match[2] or ""
    if _PART_BEHIND_SLASH.search(text):
        # Without the slash, `1234567/1` would be the number of another company.
        raise ValueError("not a company number: two numbers with a slash between them")
    return company_number(text)


_CANONICAL: Final[Mapping[str, Callable[..., str]]] = {
    "date_of_birth": date,
    "postcode": postcode,
    "company_number": _company_number,
}
"""Fields whose text is made canonical here; the schema need not check it again."""

UNKNOWN_DATES: Final = frozenset((DATE_NOT_KNOWN, YEAR_OUT_OF_RANGE))
"""Reasons for which a date of birth is nobody's: `01/01/1900`, `9999-12-31`."""

_DATE_PARTS: Final = {
    len("YYYY"): "the year",
    len("YYYY-MM"): "year and month",
    len("YYYY-MM-DD"): "day and month exchanged",
}


def accept_any(_name: str, _text: str) -> str:
    """A `Check` for use without a schema."""
    return ""


def canonical(name: str, text: str, day_first: bool = True) -> tuple[str, str]:
    """(canonical text, "") or ("", reason); for a field without a canonical form, the text with single spaces."""
    if name not in _CANONICAL:
        return " ".join(text.split()), ""
    if text in IN_VALUES:
        return "", ""
    if name == "date_of_birth":
        return _date(text, day_first)
    try:
        return _CANONICAL[name](text), ""
    except ValueError as error:
        return "", str(error)


@lru_cache(maxsize=_CACHED_VALUES)
def _date(text: str, day_first: bool) -> tuple[str, str]:
    try:
        return date(text, day_first=day_first), ""
    except ValueError as error:
        return "", str(error)


def checked_value(name: str, text: str, check: Check, day_first: bool = True) -> tuple[str, str]:
    """(value as a draft has it, "") or ("", reason why it cannot be used)."""
    value, reason = canonical(name, text, day_first)
    if value and name not in _CANONICAL:
        reason = check(name, value)
    return ("", reason) if reason else (value, "")


def partial_value(name: str, text: str, check: Check, day_first: bool = True) -> tuple[str, str]:
    """The valid part of a value that `checked_value` refuses, and a description of that part; both blank for none.

    The valid part of an impossible date is its year, and its month if there is such a month. A postcode that is not one
    of the United Kingdom is valid as a whole where the schema compares such codes.
    """
    if name == "date_of_birth":
        try:
            part = lenient(text, day_first=day_first)
        except ValueError:
            return "", ""
        return part, _DATE_PARTS.get(len(part), "")
    if name == "postcode" and check is not accept_any and not check(name, text):
        return " ".join(text.split()), "as it is written"
    return "", ""


def person_name(given: str, family: str, whole: str = "") -> tuple[str, str]:
    """(forenames, surname), from the whole name where one of them is missing or has no letters to compare."""
    first = " ".join(given.split()) if given and given not in IN_NAMES and forenames(given) else ""
    last = " ".join(family.split()) if family and family not in IN_NAMES and surname(family) else ""
    if whole and not (first and last):
        split = split_full_name(whole)
        if all(split) or not (first or last):
            return split
    return first, last


@lru_cache(maxsize=_CACHED_VALUES)
def iso_date(text: str) -> str:
    """An ISO date or date and time as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; blank for any other text."""
    head = text.strip().partition("T")[0].partition(" ")[0]
    return canonical("date_of_birth", head)[0] if head[:4].isdecimal() else ""


def moment(text: str) -> str:
    """An ISO date or date and time in a form that sorts by time: in UTC, where the text has a time zone."""
    try:
        parsed = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return text.strip()
    if "T" not in text and " " not in text.strip():
        return text.strip()  # without a time: before all times of the day
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=dt.UTC)
    return parsed.astimezone(dt.UTC).isoformat(timespec="microseconds")


def name_key(first: str, last: str) -> str:
    """A form of a name that does not depend on case, accents and punctuation."""
    return f"{forenames(first)}/{surname(last)}"


def address_part(
    addresses: Sequence[str], towns: Sequence[str], postcodes: Sequence[str]
) -> list[dict[str, str]]:
    """Alternatives for an address: the n-th address line with the n-th town and the n-th postcode."""
    columns = {"address": addresses, "town": towns, "postcode": postcodes}
    if len(addresses) < 2 and len(towns) < 2 and len(postcodes) < 2:  # the usual record
        only = completed({name: texts[0] for name, texts in columns.items() if texts and texts[0]})
        return [only] if only else []
    items: list[dict[str, str]] = []
    for number in range(max(map(len, columns.values()))):
        item = {
            name: texts[number] for name, texts in columns.items() if number < len(texts) and texts[number]
        }
        if item and (whole := completed(item)) not in items:
            items.append(whole)
    return items


def completed(item: dict[str, str]) -> dict[str, str]:
    """An address with the postcode and the town that stand at its end, where the record has none of its own."""
    if not item.get("address") or (item.get("postcode") and item.get("town")):
        return item
    code, town = ending(item["address"])
    own = item.get("postcode")
    if own and code and own != code:
        return item  # the record's own postcode is of another address
    return {**({"postcode": code} if code else {}), **({"town": town} if town else {}), **item}


def clear_caches() -> None:
    """Empty the caches after an import, because they contain names."""
    _date.cache_clear()
    iso_date.cache_clear()
    normalise.forget()
