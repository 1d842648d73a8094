"""Text to canonical text, one function per kind of field, and the level tests on canonical text.

A canonical form is stable: normalising it again gives the same text. A reason in a `ValueError` never repeats the value,
because reasons stand in reports and logs. Blank text is canonical blank, never an error.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from anyascii import anyascii

from blindmatch.protocol.linkage.dates import date

NORMALISATION: Final = 1
"""Part of every schema's digest: raised whenever a change here or in `dates` changes any canonical text."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


TITLES: Final = _set(
    "mr mrs ms miss mx dr prof professor sir dame lord lady rev revd reverend hon rt capt captain col sgt cllr councillor "
    "messrs madam mme mlle herr frau"
)
SUFFIXES: Final = _set(
    "jr jnr junior sr snr senior esq esquire obe mbe cbe kbe dbe bsc msc mba phd mp qc kc frcs fca aca jp ii iii"
)
"""`ma` and `ba` are degrees and surnames: they stay."""
PARTICLES: Final = _set(
    "van von der den de del della di da dos das du la le el al bin binte bint ibn ter ten zu zur st mac mc"
)

_APART = re.compile(r"[^\w]+|_+")
_MARKS = re.compile(r"['’‘`´ʼʹ.]")  # noqa: RUF001 - apostrophes of many keyboards
_LETTERS = re.compile(r"[^a-z0-9]+")


def _ascii(text: str) -> str:
    """Compatibility forms folded (NFKC), transliterated, case folded."""
    plain = text if text.isascii() else anyascii(unicodedata.normalize("NFKC", text))
    return plain.casefold()


def _words(text: str) -> list[str]:
    """The words of a name: apostrophes and dots vanish, everything else that is not a letter parts words."""
    folded = _MARKS.sub("", _ascii(_MARKS.sub("", text)))
    return [word for word in (_LETTERS.sub("", part) for part in _APART.split(folded)) if word]


def _without_titles(words: list[str]) -> list[str]:
    start = 0
    while start < len(words) and words[start] in TITLES:
        start += 1
    return words[start:]


def _without_suffixes(words: list[str]) -> list[str]:
    end = len(words)
    while end > 1 and words[end - 1] in SUFFIXES:
        end -= 1
    return words[:end]


def forenames(text: str) -> str:
    """Lower-case ASCII words, one space between, titles in front dropped: `Dr. Seán-Óg` gives `sean og`."""
    return " ".join(_without_titles(_words(text)))


def surname(text: str) -> str:
    """Lower-case ASCII letters without gaps, suffixes dropped: `O'Brien-Smith OBE` gives `obriensmith`."""
    return "".join(_without_suffixes(_words(text)))


def split_full_name(text: str) -> tuple[str, str]:
    """A whole name as (forenames, surname), each canonical.

    `SURNAME, Forenames` splits at the comma; otherwise the last word is the surname, with the particles before it.
    A single word is a surname.
    """
    before, comma, after = text.partition(",")
    if comma and (given := _without_titles(_words(after))) and not set(given) <= SUFFIXES:
        return " ".join(_without_suffixes(given)), "".join(_without_suffixes(_without_titles(_words(before))))
    words = _without_suffixes(_without_titles(_words(before if comma else text)))
    if not words:
        return "", ""
    start = len(words) - 1
    while start > 1 and words[start - 1] in PARTICLES:
        start -= 1
    return " ".join(words[:start]), "".join(words[start:])


_OUTWARD = re.compile(r"(?:[A-Z]{1,2}[0-9][A-Z0-9]?|GIR)")
_INWARD = re.compile(r"[0-9](?:[ABD-HJLNP-UW-Z]{2})?")
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?|GIR)([0-9][ABD-HJLNP-UW-Z]{2})")


def postcode(text: str) -> str:
    """A UK postcode, district or sector in capitals: `sw1a1aa` gives `SW1A 1AA`, `ng9` gives `NG9`.

    Raises:
        ValueError: not of a UK postcode's pattern.
    """
    cleaned = " ".join(_ascii(text).upper().replace("-", " ").replace(".", " ").split())
    if not cleaned:
        return ""
    whole = _POSTCODE.fullmatch(cleaned.replace(" ", ""))
    if whole:
        return f"{whole[1]} {whole[2]}"
    outward, _, inward = cleaned.partition(" ")
    if _OUTWARD.fullmatch(outward) and (not inward or _INWARD.fullmatch(inward)):
        return f"{outward} {inward}".strip()
    raise ValueError("not a UK postcode")


# Companies House, "company number formats": two digits, or one of these prefixes, then six digits.
_PREFIXES: Final = _set(
    "AC CE CS ES FC FE GE GN GS IC IP LP NA NC NF NI NL NO NP NR NV NZ OC OE PC RC RS SA SC SE SF SG SI SL SO SP SR SZ ZC"
)
_NUMBER = re.compile(r"([A-Z]{0,2})([0-9]+)([A-Z]?)")


def company_number(text: str) -> str:
    """A company number of eight characters: `1234567` gives `01234567`, `sc 12345` gives `SC012345`.

    Raises:
        ValueError: too long, an unknown prefix, or nothing but zeros.
    """
    cleaned = _ascii(text).upper().replace(" ", "").replace("-", "")
    if not cleaned:
        return ""
    parts = _NUMBER.fullmatch(cleaned.removesuffix(".0") if cleaned[0].isdigit() else cleaned)
    if not parts:
        raise ValueError("not a company number: letters and digits in the wrong places")
    prefix, digits, suffix = parts.groups()
    # The old Northern Irish numbers are R and seven digits; registered societies end in R.
    if prefix not in _PREFIXES and prefix not in {"", "R"}:
        raise ValueError("not a company number: unknown prefix")
    if suffix and prefix not in {"IP", "SP", "NP", "RS"}:
        raise ValueError("not a company number: letters and digits in the wrong places")
    width = 8 - len(prefix) - len(suffix)
    digits = digits.lstrip("0")
    if not digits:
        raise ValueError("not a company number: nothing but zeros")
    if len(digits) > width:
        raise ValueError("not a company number: too long")
    return prefix + digits.zfill(width) + suffix


FIELD_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    "forenames": forenames,
    "surname": surname,
    "date": date,
    "postcode": postcode,
    "company-number": company_number,
}
"""Kind of field to the function that makes its text canonical."""


def _exact(canonical: str) -> str:
    return canonical


def _first_word(canonical: str) -> str:
    """The first forename; an initial alone says too little to be called equal."""
    first = canonical.partition(" ")[0]
    return first if len(first) > 1 else ""


def _full_date(canonical: str) -> str:
    return canonical if len(canonical) == len("YYYY-MM-DD") else ""


def _year_month(canonical: str) -> str:
    return canonical[:7] if len(canonical) >= len("YYYY-MM") else ""


def _district(canonical: str) -> str:
    return canonical.partition(" ")[0]


LEVEL_TESTS: Final[Mapping[str, Mapping[str, Callable[[str], str]]]] = {
    "forenames": {"exact": _exact, "first-word": _first_word},
    "surname": {"exact": _exact},
    "date": {"full-date": _full_date, "year-month": _year_month},
    "postcode": {"exact": _exact, "district": _district},
    "company-number": {"exact": _exact},
}
"""Kind of field to its level tests: canonical text in, the text that must be equal out; blank says nothing."""
