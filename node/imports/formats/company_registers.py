"""Which registration numbers are those of Companies House: the country and the register that are stated with a number decide.

The number of a company of another country, or of another register, can have the same digits as that of an unrelated UK company.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from anyascii import anyascii

from blindmatch.node.imports.formats.json_stream import child, text

_UNITED_KINGDOM = re.compile(
    r"\b(?:unit\w* ki\w+|untied kingdom|britain|uk|gb|gbr|engl\w*|wales|scotland|northern ireland|cymru|lloegr|yr alban)\b"
)
_NAMES_OF_OTHERS = re.compile(
    r"\bnew (?:south wales|england)\b|\bprince of wales\b|\b(?:isle of man|jersey|guernsey|alderney|sark|gibraltar|bermuda|cayman|"
    r"virgin islands|anguilla|montserrat|turks and caicos|falkland|saint helena)\b"
)
"""Names that contain one of the United Kingdom's, and places that write the United Kingdom behind their own name."""
_CITIES: Final = frozenset(
    ("london", "cardiff", "edinburgh", "belfast", "glasgow", "birmingham", "manchester")
)
_COMPANIES_HOUSE = re.compile(
    r"\bcompan(?:y|ies) ?house\b|\bcompanies act (?:1985|2006)\b|\bregistrar of companies\b"
)
_OTHER_REGISTERS = re.compile(
    r"\bcharit|\bfinancial conduct|\bfca\b|\bfsa\b|\bmutuals?\b|\bland registry\b|\boscr\b|\bccni\b|\bofsted\b|"
    r"\bcare quality\b|\bcqc\b|\bprudential regulation|\bregulator of social housing\b|\bhomes england\b|\bhmrc\b"
)
"""Registers of the United Kingdom whose numbers are not company numbers."""
_UNSPECIFIC: Final = frozenset(
    [
        "the",
        "a",
        "of",
        "at",
        "in",
        "and",
        "for",
        "on",
        "companies",
        "company",
        "corporate",
        "register",
        "registers",
        "registry",
        "registrar",
        "registered",
        "registration",
        "office",
        "public",
        "official",
        "commercial",
        "trade",
        "business",
        "members",
        "none",
        "other",
        "not",
        "applicable",
        "known",
        "n",
        "na",
        "limited",
        "ltd",
        "act",
        "law",
        "national",
    ]
)


def _words(stated: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9]+", " ", anyascii(stated).replace(".", "").casefold()).split())


def in_united_kingdom(stated: str) -> bool | None:
    """Whether the text of a country, jurisdiction or register names the United Kingdom; None where it names no place."""
    words = _words(stated)
    if _NAMES_OF_OTHERS.search(words):
        return False
    if _UNITED_KINGDOM.search(words) or words in _CITIES:
        return True
    return None if _UNSPECIFIC.issuperset(words.split()) else False


def is_companies_house(country: str, register: str = "", law: str = "", address: str = "") -> bool:
    """Whether a company's registration number is one of Companies House.

    The country decides where it is stated; otherwise the register, the law under which the company exists, and the country of its
    address, in this order. A number of which nothing is stated is taken for one of Companies House.

    Args:
        country: in which the company is registered.
        register: in which it is registered.
        law: of its legal form.
        address: the country of its address.
    """
    if _OTHER_REGISTERS.search(_words(register)):
        return False
    for stated in (country, register, law, address):
        known = in_united_kingdom(stated)
        if not known and stated is not country and _COMPANIES_HOUSE.search(_words(stated)):
            # Gibraltar has a Companies House of its own.
            known = known is None or not _NAMES_OF_OTHERS.search(_words(stated))
        if known is not None:
            return known
    return True


def of_united_kingdom(codes: Iterable[str]) -> bool:
    """Whether one of the codes or names of jurisdictions is the United Kingdom's, or there is none."""
    answers = [answer for code in codes if (answer := in_united_kingdom(code)) is not None]
    return not answers or any(answers)


def jurisdiction(entity: Mapping[str, Any]) -> str:
    """The jurisdiction of a BODS entity: its code, or its name."""
    for name in ("jurisdiction", "incorporatedInJurisdiction"):
        stated = child(entity, name)
        if value := text(stated, "code") or text(stated, "name"):
            return value
    return ""


_OVERSEAS: Final = ("FC", "BR", "NF", "SF", "OE", "GE", "GN", "GS")
"""Prefixes of the numbers that Companies House issues to companies of other countries."""


def plausible(number: str, *, domestic: bool) -> bool:
    """Whether a company of the United Kingdom (`domestic`), or of another country, can have a Companies House number."""
    return domestic or number.startswith(_OVERSEAS)
