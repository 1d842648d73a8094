"""What importers need of normalisation: is a text a value of its field, and which part of a name is which.

Records carry raw text where the schema makes it canonical, and a canonical form where a file's own habits matter:
a date's order of day and month is the file's, not the schema's.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage import normalise
from blindmatch.protocol.linkage.normalise import (
    company_number,
    forenames,
    postcode,
    split_full_name,
    surname,
)
from blindmatch.protocol.linkage.normalise.dates import date, lenient

Check = Callable[[str, str], str]
"""(field, text) to the reason why the schema cannot use the text, or blank."""

_CACHED_VALUES: Final = 1 << 15
_CANONICAL: Final[Mapping[str, Callable[..., str]]] = {
    "date_of_birth": date,
    "postcode": postcode,
    "company_number": company_number,
}
"""Fields whose text is made canonical here: the schema needs no second look at it."""


_KEPT_OF_DATE: Final = {
    len("YYYY"): "the year",
    len("YYYY-MM"): "year and month",
    len("YYYY-MM-DD"): "day and month exchanged",
}


def accept_any(_name: str, _text: str) -> str:
    """A `Check` for when no schema is at hand."""
    return ""


def canonical(name: str, text: str, day_first: bool = True) -> tuple[str, str]:
    """(canonical text, "") or ("", reason); for a field without a form of its own the text as it is."""
    if name == "date_of_birth":
        return _date(text, day_first)
    if name not in _CANONICAL:
        return " ".join(text.split()), ""
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
    """A value in the form in which it is kept, or blank and the reason why it cannot be used."""
    value, reason = canonical(name, text, day_first)
    if value and name not in _CANONICAL:
        reason = check(name, value)
    return ("", reason) if reason else (value, "")


def partial_value(name: str, text: str, check: Check, day_first: bool = True) -> tuple[str, str]:
    """What can be true of a value that `usable` refuses, and in words what that is; both blank when nothing can.

    Of a date with a slip of the pen the year, the month too if there is such a month. Of a postcode that is none of the
    United Kingdom's all of it, where the schema compares such codes.
    """
    if name == "date_of_birth":
        try:
            kept = lenient(text, day_first=day_first)
        except ValueError:
            return "", ""
        return kept, _KEPT_OF_DATE.get(len(kept), "")
    if name == "postcode" and check is not accept_any and not check(name, text):
        return " ".join(text.split()), "as it is written"
    return "", ""


def person_name(given: str, family: str, whole: str = "") -> tuple[str, str]:
    """(forenames, surname); the whole name serves where one of them is missing, or says nothing."""
    first = " ".join(given.split()) if given and forenames(given) else ""
    last = " ".join(family.split()) if family and surname(family) else ""
    if whole and not (first and last):
        split = split_full_name(whole)
        if all(split) or not (first or last):
            return split
    return first, last


@lru_cache(maxsize=_CACHED_VALUES)
def iso_date(text: str) -> str:
    """An ISO date or date and time as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; blank when it is none."""
    head = text.strip().partition("T")[0].partition(" ")[0]
    return canonical("date_of_birth", head)[0] if head[:4].isdecimal() else ""


def name_key(first: str, last: str) -> str:
    """A form of a name that is equal for small differences of writing."""
    return f"{forenames(first)}/{surname(last)}"


def address_part(
    addresses: Sequence[str], towns: Sequence[str], postcodes: Sequence[str]
) -> list[dict[str, str]]:
    """Alternatives for where somebody lives: the n-th address with the n-th town and the n-th postcode."""
    if len(addresses) < 2 and len(towns) < 2 and len(postcodes) < 2:  # the usual record
        only = {
            name: texts[0]
            for name, texts in (("address", addresses), ("town", towns), ("postcode", postcodes))
            if texts and texts[0]
        }
        return [only] if only else []
    columns = {"address": addresses, "town": towns, "postcode": postcodes}
    found = []
    for number in range(max(map(len, columns.values()))):
        item = {
            name: texts[number] for name, texts in columns.items() if number < len(texts) and texts[number]
        }
        if item and item not in found:
            found.append(item)
    return found


def clear_caches() -> None:
    """Empty the caches: they hold names, and an import is over."""
    _date.cache_clear()
    iso_date.cache_clear()
    normalise.forget()
