"""The kinds of noise: ways in which two files differ on the same person or company."""

from enum import StrEnum
from typing import Self


class NoiseKind(StrEnum):
    """One way in which two files differ on the same person or company, with its description in a report; the worst first."""

    words: str
    """The description in a report."""

    def __new__(cls, value: str, words: str = "") -> Self:  # a lookup by value has no words
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.words = words
        return kind

    # Handling conditions keep the record out of the round.
    WITHHELD = "withheld", "record graded C, excluded by its handling code"
    SUPPLIER_UNNUMBERED = "supplier-unnumbered", "company's row has no number"
    SUPPLIER_MISNUMBERED = "supplier-misnumbered", "company's number has a digit wrong"
    ASSUMED_NAME = "assumed-name", "list has an assumed name only"
    MISSING_BIRTH = "missing-birth", "list has no date of birth"
    YEAR_ONLY = "year-only", "list has the year of birth only"
    BIRTH_TYPO = "birth-typo", "one digit of a date of birth is wrong"
    BIRTH_SWAPPED = "birth-swapped", "day and month of birth swapped"
    SURNAME_TYPO = "surname-typo", "surname misspelt in a list"
    FORENAME_TYPO = "forename-typo", "forename misspelt in a list"
    REGISTER_TYPO = "register-typo", "name misspelt in the register"
    FORMER_NAME = "former-name", "one has the married name, the other the former one"
    TRANSLITERATION = "transliteration", "another spelling or script of the name"
    INITIAL = "initial", "list has only an initial"
    NICKNAME = "nickname", "list has the short form of the forename"
    SWAPPED_NAMES = "swapped-names", "forename and surname swapped"
    ALIAS = "alias", "legal name is one of the aliases"
    MISSING_POSTCODE = "missing-postcode", "list has no postcode"
    OLD_POSTCODE = "old-postcode", "list has an old postcode"
    SERVICE_ADDRESS = "service-address", "register shows an office address"


CLEAN = "clean"
"""The name of the group of pairs on which the two files agree."""


def worst_kind(noise: frozenset[NoiseKind]) -> str:
    """The kind with the highest rank; `CLEAN` when there is none."""
    return next((kind.value for kind in NoiseKind if kind in noise), CLEAN)
