"""What every kind of field starts from: text of any script to lower-case ASCII words."""

import re
import unicodedata
from typing import Final

from anyascii import anyascii

CACHED: Final = 1 << 16
"""Values that each hot function remembers; `normalise.forget` empties them all."""

LONGEST: Final = 1_000
"""Characters: a longer text is no name and no address but a broken file, and says nothing. Patterns take time that grows
with the square of the length, so this also bounds what one cell can cost."""

_MARKS = re.compile(r"['\u2019\u2018`\u00b4\u02bc\u02b9.]")
_PLAIN: Final = {
    code: None if chr(code) in "'`." else chr(code) if chr(code).isalnum() else " " for code in range(128)
}
"""ASCII to letters, digits and gaps, for `str.translate`."""


def word_set(words: str) -> frozenset[str]:
    """The words of a text as a set, for tables that read well."""
    return frozenset(words.split())


def fold(text: str) -> str:
    """Compatibility forms folded (NFKC), transliterated to ASCII, case folded."""
    plain = text if text.isascii() else anyascii(unicodedata.normalize("NFKC", text))
    return plain.casefold()


def words(text: str) -> list[str]:
    """Lower-case ASCII words: apostrophes and dots vanish, everything else that is not a letter or digit parts words."""
    if not text.isascii():
        text = fold(_MARKS.sub("", text))
    # Most texts are ASCII: two passes in C.
    return text.lower().translate(_PLAIN).split()
