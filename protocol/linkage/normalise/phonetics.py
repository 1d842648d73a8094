"""Double Metaphone's primary code, so that names which sound alike in English compare equal.

Based on Lawrence Philips, "The Double Metaphone Search Algorithm", C/C++ Users Journal, June 2000; the whole code, not truncated to
four letters. It is implemented here because both sides of a round must get the same bytes whichever
libraries are installed (docs/adr/0008-normalisation.md).

Each letter has a rule: from the word and an index in it to the code that it adds and the number of letters that it consumes.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED, fold

_VOWELS: Final = frozenset("AEIOUY")
_BEFORE: Final = "     "  # so that rules can read five letters back and forward
_NOT_LETTERS = re.compile(r"[^A-Z]+")


class _Word:
    """A word padded with blanks; indices count from its first letter."""

    def __init__(self, letters: str) -> None:
        self.padded = _BEFORE + letters + _BEFORE + _BEFORE
        self.last = len(letters) - 1
        self.slavic = "W" in letters or "K" in letters or "CZ" in letters
        self.germanic = letters.startswith("SCH")

    def at(self, start: int, length: int = 1) -> str:
        first = start + len(_BEFORE)
        return self.padded[first : first + length]

    def vowel(self, place: int) -> bool:
        return self.at(place) in _VOWELS


_Step = tuple[str, int]


def _doubled(code: str, also: str = "") -> Callable[[_Word, int], _Step]:
    """A letter with one sound; a second such letter, or one of `also`, is skipped."""

    def rule(word: _Word, i: int) -> _Step:
        following = word.at(i + 1)
        return code, 2 if following != " " and (following == word.at(i) or following in also) else 1

    return rule


def _vowel(_word: _Word, i: int) -> _Step:
    return ("A" if i == 0 else ""), 1


def _c(word: _Word, i: int) -> _Step:
    after = word.at(i + 2)
    if word.at(i, 2) == "CH" and not _german_ach(word, i):
        return _ch(word, i), 2
    if (i == 0 and word.at(0, 6) == "CAESAR") or (word.at(i, 2) == "CZ" and word.at(i - 2, 4) != "WICZ"):
        return "S", 2
    if word.at(i + 1, 3) == "CIA":
        return "X", 3
    if (
        word.at(i, 2) == "CC"
        and not (i == 1 and word.at(0) == "M")
        and after in "IEH"
        and word.at(i + 2, 2) != "HU"
    ):
        sharp = (i == 1 and word.at(0) == "A") or word.at(i - 1, 5) in {"UCCEE", "UCCES"}
        return ("KS" if sharp else "X"), 3
    return _c_alone(word, i)


def _c_alone(word: _Word, i: int) -> _Step:
    following, after = word.at(i + 1), word.at(i + 2)
    if following in "IEY" and not _german_ach(word, i):
        return "S", 2
    doubled = following in "KGQ" or _german_ach(word, i) or (following == "C" and after not in "EI")
    return "K", 2 if doubled else 1


def _german_ach(word: _Word, i: int) -> bool:
    """`ACH` behind a consonant: Bacher, Macher."""
    after = word.at(i + 2)
    return (
        i > 1
        and not word.vowel(i - 2)
        and word.at(i - 1, 3) == "ACH"
        and after != "I"
        and (after != "E" or word.at(i - 2, 6) in {"BACHER", "MACHER"})
    )


def _ch(word: _Word, i: int) -> str:
    after = word.at(i + 2)
    if word.at(i, 4) == "CHIA" or (i > 0 and word.at(i, 4) == "CHAE"):
        return "K"
    if i == 0 and word.at(0, 5) != "CHORE":
        greek = word.at(1, 5) in {"HARAC", "HARIS"} or word.at(1, 3) in {"HOR", "HYM", "HIA", "HEM"}
        if greek:
            return "K"
    if (
        word.germanic
        or word.at(i - 2, 6) in {"ORCHES", "ARCHIT", "ORCHID"}
        or after in "TS"
        or ((i == 0 or word.at(i - 1) in "AOUE") and after in "LRNMBHFVW ")
    ):
        return "K"
    return "K" if i > 0 and word.at(0, 2) == "MC" else "X"


def _d(word: _Word, i: int) -> _Step:
    if word.at(i, 2) == "DG":
        return ("J", 3) if word.at(i + 2) in "IEY" else ("TK", 2)
    return "T", 2 if word.at(i + 1) in "TD" else 1


def _g(word: _Word, i: int) -> _Step:
    following, before = word.at(i + 1), word.at(i - 1)
    if following in "HN":
        return (_gh if following == "H" else _gn)(word, i), 2
    if word.at(i + 1, 2) == "LI" and not word.slavic:
        return "KL", 2
    if i == 0 and (following == "Y" or word.at(1, 2) in _HARD_G):
        return "K", 2
    if (
        (word.at(i + 1, 2) == "ER" or following == "Y")
        and word.at(0, 6) not in {"DANGER", "RANGER", "MANGER"}
        and before not in "EI"
        and word.at(i - 1, 3) not in {"RGY", "OGY"}
    ):
        return "K", 2
    if following in "EIY" or word.at(i - 1, 4) in {"AGGI", "OGGI"}:
        return ("K" if word.germanic or word.at(i + 1, 2) == "ET" else "J"), 2
    return "K", 2 if following == "G" else 1


_HARD_G: Final = frozenset(("ES", "EP", "EB", "EL", "EY", "IB", "IL", "IN", "IE", "EI", "ER"))


def _gn(word: _Word, i: int) -> str:
    sounded = (i == 1 and word.vowel(0)) or word.at(i + 2, 2) == "EY" or word.slavic
    return "KN" if sounded else "N"


def _gh(word: _Word, i: int) -> str:
    if i == 0:
        return "J" if word.at(2) == "I" else "K"
    if not word.vowel(i - 1):
        return "K"
    if word.at(i - 2) in "BHD" or word.at(i - 3) in "BHD" or word.at(i - 4) in "BH":  # Hugh, bough, brougham
        return ""
    if word.at(i - 1) == "U" and word.at(i - 3) in "CGLRT":  # laugh, McLaughlin, cough, rough, tough
        return "F"
    return "" if word.at(i - 1) == "I" else "K"


def _h(word: _Word, i: int) -> _Step:
    return ("H", 2) if (i == 0 or word.vowel(i - 1)) and word.vowel(i + 1) else ("", 1)


def _j(word: _Word, i: int) -> _Step:
    following, before = word.at(i + 1), word.at(i - 1)
    if word.at(i, 4) == "JOSE":
        return ("H" if i == 0 and word.last == 3 else "J"), 1
    heard = (
        i in {0, word.last}
        or (word.vowel(i - 1) and not word.slavic and following in "AO")
        or (following not in "LTKSNMBZ" and before not in "SKL")
    )
    return ("J" if heard else ""), 2 if following == "J" else 1


def _m(word: _Word, i: int) -> _Step:
    silent_b = word.at(i - 1, 3) == "UMB" and (i + 1 == word.last or word.at(i + 2, 2) == "ER")
    return "M", 2 if silent_b or word.at(i + 1) == "M" else 1


def _p(word: _Word, i: int) -> _Step:
    if word.at(i + 1) == "H":
        return "F", 2
    return "P", 2 if word.at(i + 1) in "PB" else 1


def _r(word: _Word, i: int) -> _Step:
    french = (
        i == word.last
        and not word.slavic
        and word.at(i - 2, 2) == "IE"
        and word.at(i - 4, 2) not in {"ME", "MA"}
    )
    return ("" if french else "R"), 2 if word.at(i + 1) == "R" else 1


def _s(word: _Word, i: int) -> _Step:
    following = word.at(i + 1)
    if word.at(i - 1, 3) in {"ISL", "YSL"}:
        return "", 1
    if i == 0 and word.at(0, 5) == "SUGAR":
        return "X", 1
    if following == "C":
        return _sc(word, i), 3
    return _s_alone(word, i, following)


def _s_alone(word: _Word, i: int, following: str) -> _Step:
    if following == "H":
        return ("S" if word.at(i + 1, 4) in {"HEIM", "HOEK", "HOLM", "HOLZ"} else "X"), 2
    if word.at(i, 3) in {"SIO", "SIA"}:
        return "S", 3
    if (i == 0 and following in "MNLW") or following == "Z":
        return "S", 2 if following == "Z" else 1
    french = i == word.last and word.at(i - 2, 2) in {"AI", "OI"}
    return ("" if french else "S"), 2 if following in "SZ" else 1


def _sc(word: _Word, i: int) -> str:
    after = word.at(i + 2)
    if after == "H":
        return "SK" if word.at(i + 3, 2) in {"OO", "UY", "ED", "EM"} else "X"
    return "S" if after in "IEY" else "SK"


def _t(word: _Word, i: int) -> _Step:
    if word.at(i, 4) == "TION" or word.at(i, 3) in {"TIA", "TCH"}:
        return "X", 3
    if word.at(i, 2) == "TH" or word.at(i, 3) == "TTH":
        return ("T" if word.at(i + 2, 2) in {"OM", "AM"} or word.germanic else "0"), 2
    return "T", 2 if word.at(i + 1) in "TD" else 1


def _w(word: _Word, i: int) -> _Step:
    if word.at(i + 1) == "R":
        return "R", 2
    if i == 0 and (word.vowel(1) or word.at(1) == "H"):
        return "A", 1
    if word.at(i, 4) in {"WICZ", "WITZ"} and not word.germanic:
        return "TS", 4
    return "", 1


def _x(word: _Word, i: int) -> _Step:
    if i == 0:
        return "S", 1
    french = i == word.last and (word.at(i - 3, 3) in {"IAU", "EAU"} or word.at(i - 2, 2) in {"AU", "OU"})
    return ("" if french else "KS"), 2 if word.at(i + 1) in "CX" else 1


def _z(word: _Word, i: int) -> _Step:
    if word.at(i + 1) == "H":
        return "J", 2
    return "S", 2 if word.at(i + 1) == "Z" else 1


_RULES: Final[dict[str, Callable[[_Word, int], _Step]]] = {
    **dict.fromkeys(_VOWELS, _vowel),
    "B": _doubled("P"), "C": _c, "D": _d, "F": _doubled("F"), "G": _g, "H": _h, "J": _j, "K": _doubled("K"),
    "L": _doubled("L"), "M": _m, "N": _doubled("N"), "P": _p, "Q": _doubled("K"), "R": _r, "S": _s, "T": _t,
    "V": _doubled("F"), "W": _w, "X": _x, "Z": _z,
}  # fmt: skip


@lru_cache(maxsize=CACHED)
def metaphone(name: str) -> str:
    """The primary Double Metaphone code of one word, `0` for `th`: `smith` gives `SM0`; blank for a word without letters."""
    letters = _NOT_LETTERS.sub("", fold(name).upper())
    word = _Word(letters)
    i = 1 if letters[:2] in {"GN", "KN", "PN", "WR", "PS"} else 0
    codes = []
    while i <= word.last:
        code, used = _RULES[letters[i]](word, i)
        codes.append(code)
        i += used
    return "".join(codes)
