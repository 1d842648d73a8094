"""The kinds of noise: ways in which two files differ on the same person or company."""

from enum import StrEnum


class NoiseKind(StrEnum):
    """One way in which two files differ on the same person or company, the worst first."""

    WITHHELD = "withheld"  # graded C: handling conditions keep the record out of the round
    SUPPLIER_UNNUMBERED = "supplier-unnumbered"  # a company's row has no number
    SUPPLIER_MISNUMBERED = "supplier-misnumbered"  # a company's row has a digit wrong
    ASSUMED_NAME = "assumed-name"  # a list has another name only
    MISSING_BIRTH = "missing-birth"  # a list has no date of birth
    YEAR_ONLY = "year-only"  # a list has a year of birth
    BIRTH_TYPO = "birth-typo"  # one digit of the date wrong
    BIRTH_SWAPPED = "birth-swapped"  # day and month swapped
    SURNAME_TYPO = "surname-typo"
    FORENAME_TYPO = "forename-typo"
    REGISTER_TYPO = "register-typo"  # the register has a letter wrong
    FORMER_NAME = "former-name"  # the register, or one list, has the married name, the other the former one
    TRANSLITERATION = "transliteration"  # a list spells the name as another alphabet's custom has it
    INITIAL = "initial"  # a list has an initial for the forename
    NICKNAME = "nickname"  # a list has the short form only
    SWAPPED_NAMES = "swapped-names"  # forename in the surname's place
    ALIAS = "alias"  # the legal name is one of the aliases, not the name
    MISSING_POSTCODE = "missing-postcode"
    OLD_POSTCODE = "old-postcode"
    SERVICE_ADDRESS = "service-address"  # the register shows an office, not the home

    @property
    def words(self) -> str:
        """The description in a report."""
        return DESCRIPTIONS[self]


DESCRIPTIONS = {
    NoiseKind.WITHHELD: "record graded C, excluded by its handling code",
    NoiseKind.SUPPLIER_UNNUMBERED: "company's row has no number",
    NoiseKind.SUPPLIER_MISNUMBERED: "company's number has a digit wrong",
    NoiseKind.ASSUMED_NAME: "list has an assumed name only",
    NoiseKind.MISSING_BIRTH: "list has no date of birth",
    NoiseKind.YEAR_ONLY: "list has the year of birth only",
    NoiseKind.BIRTH_TYPO: "one digit of a date of birth is wrong",
    NoiseKind.BIRTH_SWAPPED: "day and month of birth swapped",
    NoiseKind.SURNAME_TYPO: "surname misspelt in a list",
    NoiseKind.FORENAME_TYPO: "forename misspelt in a list",
    NoiseKind.REGISTER_TYPO: "name misspelt in the register",
    NoiseKind.FORMER_NAME: "one has the married name, the other the former one",
    NoiseKind.TRANSLITERATION: "another spelling or script of the name",
    NoiseKind.INITIAL: "list has only an initial",
    NoiseKind.NICKNAME: "list has the short form of the forename",
    NoiseKind.SWAPPED_NAMES: "forename and surname swapped",
    NoiseKind.ALIAS: "legal name is one of the aliases",
    NoiseKind.MISSING_POSTCODE: "list has no postcode",
    NoiseKind.OLD_POSTCODE: "list has an old postcode",
    NoiseKind.SERVICE_ADDRESS: "register shows an office address",
}

CLEAN = "clean"
"""The name of the group of pairs on which the two files agree."""


def worst_kind(noise: frozenset[NoiseKind]) -> str:
    """The kind with the highest rank; `CLEAN` when there is none."""
    return next((kind.value for kind in NoiseKind if kind in noise), CLEAN)
