"""Identifiers that registers issue: companies, VAT, bank accounts, vehicles."""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as gb_vat

from blindmatch.protocol.linkage.normalise.text import CACHED, fold, word_set

# Companies House, "company number formats": two digits, or one of these prefixes, then six digits.
_PREFIXES: Final = word_set(
    "AC BR CE CS ES FC FE GE GN GS IC IP LP NA NC NF NI NL NO NP NR NV NZ OC OE PC RC RS SA SC SE SF SG SI SL SO SP SR SZ ZC"
)
_CANONICAL = re.compile(rf"(?:[0-9]{{2}}|{'|'.join(sorted(_PREFIXES))})(?!0{{6}})[0-9]{{6}}")
"""Texts that `company_number` returns unchanged."""
_COMPANY = re.compile(r"([A-Z]{0,2})([0-9]+)([A-Z]?)")
_SOCIETY = re.compile(r"(IP|SP|NP|RS)([0-9]{3}(?=[A-Z]{3})|[0-9]{4}(?=[A-Z]{2}$))([A-Z]{2,3})")
"""Registered societies with letters at the end, such as `IP000CUS`; a postcode such as `IP8 0XW` is shorter."""
_LABEL = re.compile(r"^(?:COMPANY|CO|REG(?:ISTERED)?|REGISTRATION|CRN|NO|NUMBER|NUM)\b[.:\s]*")
_GAPS = re.compile(r"[\s\-.]+")


def _compact(text: str) -> str:
    return _GAPS.sub("", fold(text).upper())


def _bare_company_number(text: str) -> str:
    cleaned = fold(text).upper().strip()
    while called := _LABEL.match(cleaned):
        cleaned = cleaned[called.end() :]
    cleaned = re.sub(r"[\s\-/]+", "", cleaned)
    for register in ("GBCOH", "GBNIC"):
        cleaned = cleaned.removeprefix(register)
    if cleaned[:1].isdigit():
        cleaned = re.sub(r"\.0+$", "", cleaned)
    return re.sub(r"(?<=[0-9])O|^O(?=[0-9])|(?<=^[A-Z]{2})O(?=[0-9])", "0", cleaned)


@lru_cache(maxsize=CACHED)
def company_number(text: str) -> str:
    """A company number of eight characters: `1234567` gives `01234567`, `sc 12345` gives `SC012345`.

    The letter O in place of a digit is read as zero; `GB-COH-` in front (org-id.guide) is dropped.

    Raises:
        ValueError: too long, an unknown prefix, or nothing but zeros.
    """
    if _CANONICAL.fullmatch(text):
        return text
    cleaned = _bare_company_number(text)
    if not cleaned:
        return ""
    parts = _COMPANY.fullmatch(cleaned) or _SOCIETY.fullmatch(cleaned)
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
    if not digits and len(suffix) < 2:
        raise ValueError("not a company number: nothing but zeros")
    if len(digits) > width:
        raise ValueError("not a company number: too long")
    return prefix + digits.zfill(width) + suffix


def plain_company_numbers(texts: Sequence[str]) -> bool:
    """Whether all texts are company numbers of eight digits, the usual form, which `company_number` returns unchanged.

    A fast test for a whole column: False means that each text must be normalised.
    """
    joined = "".join(texts)
    if set(map(len, texts)) != {8} or not joined.isascii() or not joined.isdecimal():
        return False
    return "000000" not in joined or all(text[2:] != "000000" for text in texts)


@lru_cache(maxsize=CACHED)
def vat_number(text: str) -> str:
    """A VAT number with its country: `123 4567 82` gives `GB123456782`; a branch's three digits are dropped.

    Numbers without letters are British; `XI` (Northern Ireland) is the same register. Numbers of member states of the European Union are
    checked by their own rules.

    Raises:
        ValueError: wrong length or check digits.
    """
    cleaned = re.sub(r"^VAT(?:REG)?(?:ISTRATION)?(?:NO|NUMBER)?:?", "", _compact(text))
    if not cleaned:
        return ""
    try:
        if cleaned[:2].isalpha() and cleaned[:2] not in {"GB", "XI", "GD", "HA"}:
            return str(eu_vat.validate(cleaned))
        number = str(gb_vat.validate(f"GB{cleaned[2:]}" if cleaned.startswith("XI") else cleaned))
    except (ValidationError, ValueError) as error:
        raise ValueError("not a VAT number: wrong length or check digits") from error
    if not int(re.sub(r"\D", "", number)):
        raise ValueError("not a VAT number: nothing but zeros")
    return f"GB{number[:9]}"


_CURRENT = r"[A-HJ-PR-Y][A-HJ-PR-Z][0-9]{2}[A-HJ-PR-Z]{3}"
_MARKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        _CURRENT,  # AB12 CDE, since 2001
        r"[A-HJ-NP-TV-Y][1-9][0-9]{0,2}[A-HJ-PR-Z][A-Z]{2}",  # A123 BCD, 1983 to 2001
        r"Q[0-9]{1,3}[A-Z]{3}",
        r"[A-Z]{3}[1-9][0-9]{0,2}[A-HJ-NP-TV-Y]",  # ABC 123D, 1963 to 1983
        r"[A-Z]{0,2}[IZ][A-Z]?[1-9][0-9]{0,3}|[1-9][0-9]{0,3}[A-Z]{0,2}[IZ][A-Z]?",  # Northern Ireland
        r"[A-Z]{1,3}[1-9][0-9]{0,3}|[1-9][0-9]{0,3}[A-Z]{1,3}",  # before 1963
        r"[0-9]{3}[DX][0-9]{3}",  # diplomats
    )
)
_CONFUSABLE: Final = {"O": "O0", "0": "0O", "I": "I1", "1": "1I"}
_MAXIMUM_MARK = 7


@lru_cache(maxsize=CACHED)
def vehicle(text: str) -> str:
    """A United Kingdom vehicle mark without gaps: `ab1o cde` gives `AB10CDE`.

    O and 0, I and 1 are exchanged only if the text as written is no valid mark; the newest form that fits is used.

    Raises:
        ValueError: not of any British pattern.
    """
    cleaned = _compact(text)
    if not cleaned:
        return ""
    if len(cleaned) <= _MAXIMUM_MARK and cleaned.isalnum():
        if any(mark.fullmatch(cleaned) for mark in _MARKS):
            return cleaned
        spellings = [
            "".join(letters) for letters in itertools.product(*(_CONFUSABLE.get(c, c) for c in cleaned))
        ]
        for mark in _MARKS:
            fitting = [spelling for spelling in spellings if mark.fullmatch(spelling)]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                break
    raise ValueError("not a vehicle mark of the United Kingdom")


_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SORT_AND_ACCOUNT = re.compile(r"(\d{2})\D?(\d{2})\D?(\d{2})\D*(\d{6,8})")
_UK_IBAN = re.compile(r"GB[0-9]{2}[A-Z]{4}([0-9]{6})([0-9]{8})")


@lru_cache(maxsize=CACHED)
def bank_account(text: str) -> str:
    """A bank account as sort code and account number, `123456 01234567`; an account abroad as its IBAN.

    Account numbers of six or seven digits get their leading zeros; a British IBAN is split into both.

    Raises:
        ValueError: neither form, wrong check digits, or nothing but zeros.
    """
    folded = fold(text).upper().strip()
    if not folded:
        return ""
    compact = re.sub(r"[\s\-]+", "", folded).removeprefix("IBAN").lstrip(":")
    if _IBAN.fullmatch(compact):
        if _remainder(compact) != 1:
            raise ValueError("not an IBAN: wrong check digits")
        british = _UK_IBAN.fullmatch(compact)
        if not british:
            if compact.startswith("GB"):
                raise ValueError("not an IBAN: wrong length")
            return compact
        sort_code, account = british.groups()
    else:
        plain = re.sub(r"\b(?:SORT ?CODE|S/?C|ACCOUNT|ACC?T?|A/C|NUMBER|NO)\b[.:]?", " ", folded).strip()
        match = _SORT_AND_ACCOUNT.fullmatch(plain)
        if not match:
            raise ValueError("neither sort code and account number nor an IBAN")
        sort_code, account = "".join(match.groups()[:3]), match[4].zfill(8)
    if not int(sort_code) or not int(account):
        raise ValueError("not a bank account: nothing but zeros")
    return f"{sort_code} {account}"


def _remainder(iban: str) -> int:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97
