"""Texts that files write where they have no value (`N/A`), and dates of birth that nobody can have: both are read as blank."""

import datetime as dt
from collections.abc import Iterable
from itertools import product
from typing import Final

PLACEHOLDER: Final = "placeholder values, such as N/A, which were read as blank"
IMPLAUSIBLE_BIRTH: Final = "dates of birth in the future or more than 120 years ago, which were read as blank"
MAX_AGE: Final = 120
"""Years. No person in the United Kingdom has reached this age."""

_ANY_FIELD: Final = (
    "n/a|n.a.|n.a|n/k|n.k.|n\\a|n\\k|n/s|u/k|tbc|t.b.c.|tba|tbd|t/b/c|unknown|unkown|not known|notknown|not-known|not applicable|"
    "not available|not provided|not given|not stated|not recorded|not supplied|not specified|not disclosed|not held|not set|"
    "not registered|none given|none provided|none known|none recorded|none supplied|no data|no value|no record|not on file|"
    "unspecified|undisclosed|unavailable|redacted|redacted data|redacted personal data|personal data redacted|withheld|"
    "to be confirmed|to be advised|to be announced|to be determined|(none)|(null)|(blank)|(unknown)|(not known)|[none]|[null]|[blank]|"
    "[unknown]|[redacted]|<none>|<null>|<blank>|<na>|#n/a|#null!|#ref!|#value!|#name?|#num!|#div/0!|n/a n/a|none/unknown"
)
_MARKS: Final = "- -- --- ---- \u2013 \u2014 \u2013\u2013 \u2014\u2014 \u2212 \u2010 \u2011 . .. ... \u2026 ? ?? ??? * ** *** / // _ __ ~ ! , ;"
_EXACT: Final = "NULL NaN None NONE"
"""Exports of programs; in other capitals, Null and Nan are names."""
_NOT_IN_NAMES: Final = (
    "null|nan|none|nil|na|nk|n-a|n-k|unk|unkn|blank|missing|empty|nfa|no fixed abode|no fixed address|no address|no postcode|no dob|"
    "no number|no email|no phone|no telephone|x|xx|xxx|xxxx|00/00/0000|0000-00-00|00-00-0000|00.00.0000|00/00/00|00/0000|0000|"
    "00000000|0000-00-00 00:00:00|99/99/9999|dd/mm/yyyy|yyyy-mm-dd"
)


def _written(texts: str) -> Iterable[str]:
    """Each text in the capitals that files use."""
    for text in texts.split("|"):
        yield from (text, text.upper(), text.capitalize(), text.title())
        if len(text) <= len("t.b.c."):
            # Short forms are typed in any capitals: `N/a`, `tBC`.
            yield from map("".join, product(*((letter.lower(), letter.upper()) for letter in text)))


IN_NAMES: Final = frozenset((*_written(_ANY_FIELD), *_MARKS.split(" "), *_EXACT.split(" ")))
"""Placeholders for any field, as they are written, without spaces around them."""
IN_VALUES: Final = IN_NAMES | frozenset(_written(_NOT_IN_NAMES))
"""Placeholders for fields whose values have a form of their own, unlike names, references and facts: `Na` and `Null` are surnames."""
_VALUES: Final = frozenset(
    [
        "date_of_birth",
        "address",
        "house_number",
        "street",
        "town",
        "postcode",
        "company_number",
        "vat_number",
        "phone",
        "email",
        "bank_account",
        "vehicle",
        "contract_start",
        "contract_end",
    ]
)


def iso_day(seconds: float) -> str:
    """The day of a moment in Unix seconds, as `YYYY-MM-DD` in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()


def placeholders(name: str) -> frozenset[str]:
    """The texts that stand for no value in a field."""
    return IN_VALUES if name in _VALUES else IN_NAMES


def implausible_birth(date: str, today: str) -> bool:
    """Whether nobody alive can have this date of birth: it lies ahead, or more than `MAX_AGE` years back.

    Args:
        date: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
        today: `YYYY-MM-DD`; blank for no limit.
    """
    if not date or not today:
        return False
    earliest = f"{int(today[:4]) - MAX_AGE:04d}{today[4:]}"
    return not earliest[: len(date)] <= date <= today[: len(date)]


def has_ended(end: str, today: str) -> bool:
    """Whether an ISO date of one to three parts is not ahead of `today`: an end date ahead has not ended yet.

    A date without a day or a month has ended when its last day has passed. With a blank `today`, every date has.
    """
    return bool(end) and (not today or end < today[: len(end)] or (end == today))
