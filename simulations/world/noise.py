"""What goes wrong between a person and the file that holds him: the kinds, and how each is made."""

from datetime import date
from enum import StrEnum

from blindmatch.simulations.world.rng import SeededRandom

_KEYS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "kop", "m": "n", "n": "bm", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip


class Mistake(StrEnum):
    """One way in which two files differ on the same person or company. The order ranks the worst first."""

    WITHHELD = "withheld"  # graded C: handling conditions keep the record out of the round
    SUPPLIER_UNNUMBERED = "supplier-unnumbered"  # a company's row has no number
    SUPPLIER_MISNUMBERED = "supplier-misnumbered"  # a company's row has a digit wrong
    ASSUMED_NAME = "assumed-name"  # a list knows another name only
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
    ALIAS = "alias"  # the legal name stands among the aliases, not as the name
    MISSING_POSTCODE = "missing-postcode"
    OLD_POSTCODE = "old-postcode"
    SERVICE_ADDRESS = "service-address"  # the register shows an office, not the home

    @property
    def words(self) -> str:
        """For a report."""
        return WORDS[self]


WORDS = {
    Mistake.WITHHELD: "record graded C, kept out by its handling code",
    Mistake.SUPPLIER_UNNUMBERED: "company's row has no number",
    Mistake.SUPPLIER_MISNUMBERED: "company's number has a digit wrong",
    Mistake.ASSUMED_NAME: "list has an assumed name only",
    Mistake.MISSING_BIRTH: "list has no date of birth",
    Mistake.YEAR_ONLY: "list has the year of birth only",
    Mistake.BIRTH_TYPO: "one digit of a date of birth is wrong",
    Mistake.BIRTH_SWAPPED: "day and month of birth swapped",
    Mistake.SURNAME_TYPO: "surname misspelt in a list",
    Mistake.FORENAME_TYPO: "forename misspelt in a list",
    Mistake.REGISTER_TYPO: "name misspelt in the register",
    Mistake.FORMER_NAME: "one has the married name, the other the former one",
    Mistake.TRANSLITERATION: "another spelling or script of the name",
    Mistake.INITIAL: "list has only an initial",
    Mistake.NICKNAME: "list has the short form of the forename",
    Mistake.SWAPPED_NAMES: "forename and surname swapped",
    Mistake.ALIAS: "legal name stands among the aliases",
    Mistake.MISSING_POSTCODE: "list has no postcode",
    Mistake.OLD_POSTCODE: "list has an old postcode",
    Mistake.SERVICE_ADDRESS: "register shows an office address",
}

CLEAN = "clean"
"""The name of the group of pairs on which the two files agree."""


def worst(mistakes: frozenset[Mistake]) -> str:
    """The mistake that most hinders a match, by rank; `CLEAN` when there is none."""
    return next((mistake.value for mistake in Mistake if mistake in mistakes), CLEAN)


def typing_error(dice: SeededRandom, word: str) -> str:
    """`word` with one slip of the hand: a neighbour key, two letters swapped, one lost, one doubled.

    Never returns the word itself; a word under three letters gains a letter.
    """
    if len(word) < 3:
        return word + word[-1:].lower()
    place = dice.number(1, len(word) - 2)
    slip = dice.number(0, 3)
    here, after = word[place], word[place + 1]
    if slip == 0 and here.lower() in _KEYS:
        return word[:place] + dice.pick(_KEYS[here.lower()]) + word[place + 1 :]
    if slip == 1 and here != after:
        return word[:place] + after + here + word[place + 2 :]
    if slip == 2:
        return word[:place] + word[place + 1 :]
    return word[:place] + here + word[place:]


def wrong_digit(dice: SeededRandom, digits: str) -> str:
    """`digits` with one of its digits replaced by another; other characters stay."""
    places = [place for place, character in enumerate(digits) if character.isdigit()]
    place = dice.pick(places)
    other = (int(digits[place]) + dice.number(1, 9)) % 10
    return f"{digits[:place]}{other}{digits[place + 1 :]}"


def wrong_birth(dice: SeededRandom, born: date) -> date:
    """A date that differs from `born` in its day, month or year, as a misread form does."""
    part = dice.number(0, 2)
    if part == 0:
        return born.replace(day=born.day % 28 + 1)
    if part == 1:
        return born.replace(month=born.month % 12 + 1, day=min(born.day, 28))
    return born.replace(year=born.year + dice.pick((-10, -2, -1, 1, 2, 10)), day=min(born.day, 28))


def swapped_birth(born: date) -> date | None:
    """Day and month swapped, or None where that is no other date."""
    if born.day > 12 or born.day == born.month:
        return None
    return born.replace(month=born.day, day=born.month)
