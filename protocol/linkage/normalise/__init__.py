"""Text to canonical text, one function per kind of field, and the level tests on canonical text.

A canonical form is stable: normalising it again gives the same text. The message of a `ValueError` never contains the value,
because it appears in reports and logs. Blank text has a blank canonical form and is never an error.

Frequently called functions cache their values; `forget` empties these caches after a list has been read.
"""

from collections.abc import Callable, Mapping
from typing import Final

from blindmatch.protocol.linkage.normalise import (
    address_endings,
    contacts,
    dates,
    identifiers,
    names,
    nicknames,
    phonetics,
    places,
)
from blindmatch.protocol.linkage.normalise.contacts import email, phone
from blindmatch.protocol.linkage.normalise.dates import date
from blindmatch.protocol.linkage.normalise.identifiers import (
    bank_account,
    company_number,
    plain_company_numbers,
    vat_number,
    vehicle,
)
from blindmatch.protocol.linkage.normalise.names import company, forenames, split_full_name, surname
from blindmatch.protocol.linkage.normalise.nicknames import canonical as nickname
from blindmatch.protocol.linkage.normalise.phonetics import metaphone
from blindmatch.protocol.linkage.normalise.places import canonical_address as address
from blindmatch.protocol.linkage.normalise.places import canonical_postcode as postcode
from blindmatch.protocol.linkage.normalise.places import town

__all__ = [
    "FIELD_KINDS",
    "LEVEL_TESTS",
    "NORMALISATION",
    "address",
    "address_endings",
    "bank_account",
    "company",
    "company_number",
    "contacts",
    "date",
    "dates",
    "email",
    "forenames",
    "forget",
    "identifiers",
    "metaphone",
    "names",
    "nickname",
    "nicknames",
    "phone",
    "phonetics",
    "places",
    "plain_company_numbers",
    "postcode",
    "split_full_name",
    "surname",
    "town",
    "vat_number",
    "vehicle",
]

NORMALISATION: Final = 3
"""The version of the normalisation, part of every schema's digest: increase it with every change of a canonical or derived text."""

FIELD_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    "forenames": forenames,
    "surname": surname,
    "date": date,
    "postcode": postcode,
    "address": address,
    "town": town,
    "company-number": company_number,
    "company-name": company,
    "vat-number": vat_number,
    "bank-account": bank_account,
    "phone": phone,
    "email": email,
    "vehicle": vehicle,
}
"""Kind of field to the function that makes its text canonical."""


def _exact(canonical: str) -> str:
    return canonical


def _joined(canonical: str) -> str:
    return canonical.replace(" ", "")


def _first3(canonical: str) -> str:
    """The first three letters of the first word; a name of two letters stays whole, and an initial is blank."""
    return _first_word(canonical)[:3]


def _initial(canonical: str) -> str:
    return canonical[:1]


def _first_word(canonical: str) -> str:
    """The first forename; blank for an initial, which is too weak for equality."""
    first = canonical.partition(" ")[0]
    return first if len(first) > 1 else ""


def _nickname(canonical: str) -> str:
    return nickname(_first_word(canonical))


def _given_sound(canonical: str) -> str:
    """The phonetic code of the full form of a name, so that names that agree at `nickname` agree here too."""
    name = _nickname(canonical)
    return metaphone(name) or name


def _sound(canonical: str) -> str:
    """The phonetic code of a whole name; the name itself if it has no code (`hh`), and blank for an initial."""
    joined = _joined(canonical)
    return (metaphone(joined) or joined) if len(joined) > 1 else ""


LEVEL_TESTS: Final[Mapping[str, Mapping[str, Callable[[str], str]]]] = {
    "forenames": {
        "exact": _exact,
        "first-word": _first_word,
        "nickname": _nickname,
        "metaphone": _given_sound,
        "first3": _first3,
        "initial": _initial,
    },
    "surname": {"exact": _exact, "metaphone": _sound, "first3": _first3, "initial": _initial},
    "date": {
        "full-date": dates.full,
        "unordered": dates.unordered,
        "year-day": dates.year_day,
        "year-month": dates.year_month,
        "month-day": dates.month_day,
        "year": dates.year,
        "month": dates.month,
    },
    "postcode": {
        "exact": _exact,
        "full": places.full_postcode,
        "sector": places.sector,
        "district": places.district,
    },
    "address": {"number-street": places.number_and_street, "street": places.street, "number": places.house},
    "town": {"exact": _joined, "metaphone": _sound},
    "company-number": {"exact": _exact},
    "company-name": {"exact": _joined, "metaphone": _sound},
    "vat-number": {"exact": _exact},
    "bank-account": {"exact": _exact},
    "phone": {"exact": _exact},
    "email": {"exact": _exact},
    "vehicle": {"exact": _exact},
}
"""Kind of field to its level tests: functions from canonical text to the text that must be equal; blank is missing."""


def forget() -> None:
    """Empty the caches of all functions of this package, so that no name stays in memory after a list has been read."""
    for cached in (
        names.forenames,
        names.surname,
        names.split_full_name,
        names.company,
        nicknames.canonical,
        phonetics.metaphone,
        dates.parse,
        address_endings.ending_of_first,
        places.postcode,
        places.number_one,
        places.house_name,
        places.road,
        places.lone_road,
        places.town,
        contacts.phone,
        contacts.email,
        identifiers.company_number,
        identifiers.vat_number,
        identifiers.vehicle,
        identifiers.bank_account,
    ):
        cached.cache_clear()
