"""The checks behind an agreement's terms: each raises `AgreementError` and names the wrong field.

Every function takes the field's path first. Values come as `object`, since a file or a peer can supply a value of any
type. Texts are shown on officers' terminals, so characters that control a terminal or change the direction of writing
are refused here.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

LAST_SECOND = 253_402_300_799
"""31 December 9999, 23:59:59 UTC: the last second that calendars can print."""

_IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_FACT = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@contextmanager
def at(path: str) -> Iterator[None]:
    """Put `path` before the field of any `AgreementError` raised inside: `max_records` becomes `edges[1].sender.max_records`."""
    try:
        yield
    except AgreementError as error:
        joined = path + error.field if error.field.startswith("[") else f"{path}.{error.field}"
        message = error.message.removeprefix(f"{error.field}: ")
        raise AgreementError(joined, message, hint=error.hint) from None


def text(field: str, value: object, *, longest: int = LIMITS.text_characters, optional: bool = False) -> None:
    """A text that people read: not blank, not too long, no invisible characters except line breaks."""
    if not isinstance(value, str):
        raise AgreementError(field, "must be a text")
    if not value.strip():
        if optional and not value:
            return
        raise AgreementError(field, "is missing", hint="Write the text: every party signs it.")
    if len(value) > longest:
        raise AgreementError(field, f"has {len(value)} characters; at most {longest} are allowed")
    for position, character in enumerate(value):
        if character != "\n" and unicodedata.category(character) in _UNSEEN:
            raise AgreementError(
                field, f"holds an invisible character (U+{ord(character):04X}) at position {position}"
            )


def identifier(field: str, value: object, *, longest: int = 63) -> None:
    """An id of lower-case letters, digits and inner hyphens; 63 characters make a DNS label."""
    _named(
        field, value, _IDENTIFIER, longest, "lower-case letters, digits and inner hyphens, such as west-force"
    )


def fact_name(field: str, value: object) -> None:
    """The name of a fact: lower-case letters, digits, hyphens and underscores, starting with a letter."""
    _named(
        field, value, _FACT, 63, "lower-case letters, digits, hyphens and underscores, such as contract_value"
    )


def whole(field: str, value: object, lowest: int, highest: int) -> None:
    """A whole number between two bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise AgreementError(field, "must be a whole number")
    if not lowest <= value <= highest:
        raise AgreementError(field, f"is {value}; it must be between {lowest} and {highest}")


def share(field: str, value: object) -> None:
    """A share above 0 and below 1 in whole millionths."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AgreementError(field, "must be a number, such as 0.05")
    if not 0 < value < 1:
        raise AgreementError(field, f"is {value}; it must be above 0 and below 1", hint="0.05 means 5%.")
    if millionths(value) < 1 or millionths(value) / 1_000_000 != value:
        raise AgreementError(field, "has more than six digits after the point")


def millionths(value: float) -> int:
    """A share as it is written into an agreement."""
    return round(value * 1_000_000)


def flag(field: str, value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise AgreementError(field, "must be true or false")


def octets(field: str, value: object, size: int) -> None:
    """Exactly `size` bytes, not all zero: a field that was never filled in is all zeros."""
    if not isinstance(value, bytes):
        raise AgreementError(field, "must be bytes")
    if len(value) != size:
        raise AgreementError(field, f"has {len(value)} bytes instead of {size}")
    if not any(value):
        raise AgreementError(field, "is all zeros: it was not filled in")


def one_of(field: str, value: object, allowed: Collection[str]) -> None:
    """One of a few names."""
    if not isinstance(value, str) or value not in allowed:
        raise AgreementError(field, f"must be one of: {', '.join(allowed)}")


def several(field: str, value: object, lowest: int, highest: int) -> None:
    """A tuple with a bounded number of entries."""
    if not isinstance(value, tuple):
        raise AgreementError(field, "must be a list")
    if not lowest <= len(value) <= highest:
        raise AgreementError(field, f"has {len(value)} entries; between {lowest} and {highest} are allowed")


def distinct(field: str, values: Iterable[object], part: str = "") -> None:
    """No value twice; the error names the later one: `field[i]`, and its `part`."""
    seen: dict[object, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            suffix = f".{part}" if part else ""
            raise AgreementError(f"{field}[{index}]{suffix}", f"is the same as in {field}[{seen[value]}]")
        seen[value] = index


def _named(field: str, value: object, pattern: re.Pattern[str], longest: int, words: str) -> None:
    if not isinstance(value, str):
        raise AgreementError(field, "must be a text")
    if not value:
        raise AgreementError(field, "is missing")
    if len(value) > longest:
        raise AgreementError(field, f"has {len(value)} characters; at most {longest} are allowed")
    if not pattern.fullmatch(value):
        raise AgreementError(field, f"may only hold {words}")
