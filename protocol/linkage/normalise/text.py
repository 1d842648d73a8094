"""Functions that all kinds of field use: text of any script to lower-case ASCII words."""

import re
import unicodedata
from typing import Final

from anyascii import anyascii

CACHED: Final = 1 << 16
"""Values that each frequently called function caches; `normalise.forget` empties all caches."""

LONGEST: Final = 1_000
"""Characters: a longer text comes from a damaged file and is treated as missing. The time of some patterns grows with the
square of the length, so this also limits the cost of one cell."""

_MARKS = re.compile(r"['\u2019\u2018`\u00b4\u02bc\u02b9.]")
_PLAIN: Final = {
    code: None if chr(code) in "'`." else chr(code) if chr(code).isalnum() else " " for code in range(128)
}
"""ASCII to letters, digits and gaps, for `str.translate`."""


def word_set(words: str) -> frozenset[str]:
    """The words of a text as a set, for readable tables."""
    return frozenset(words.split())


def fold(text: str) -> str:
    """The text after NFKC normalisation, transliteration to ASCII and case folding."""
    plain = text if text.isascii() else anyascii(unicodedata.normalize("NFKC", text))
    return plain.casefold()


def words(text: str) -> list[str]:
    """Lower-case ASCII words: apostrophes and dots are removed; any other character that is not a letter or digit separates words."""
    if not text.isascii():
        text = fold(_MARKS.sub("", text))
    # Most texts are ASCII: two passes in C.
    return text.lower().translate(_PLAIN).split()
