"""How each kind of noise changes a value: typing errors, wrong digits, wrong dates of birth."""

from datetime import date

from blindmatch.simulations.world.rng import SeededRandom

_KEYS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "kop", "m": "n", "n": "bm", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip


def typing_error(rng: SeededRandom, word: str) -> str:
    """`word` with one typing error: a neighbouring key, two letters swapped, one lost or one doubled.

    The result always differs from the word; a word of fewer than three letters gets one more letter.
    """
    if len(word) < 3:
        return word + word[-1:].lower()
    place = rng.number(1, len(word) - 2)
    error = rng.number(0, 3)
    here, after = word[place], word[place + 1]
    if error == 0 and here.lower() in _KEYS:
        return word[:place] + rng.pick(_KEYS[here.lower()]) + word[place + 1 :]
    if error == 1 and here != after:
        return word[:place] + after + here + word[place + 2 :]
    if error == 2:
        return word[:place] + word[place + 1 :]
    return word[:place] + here + word[place:]


def wrong_digit(rng: SeededRandom, digits: str) -> str:
    """`digits` with one of its digits replaced by another; other characters stay."""
    places = [place for place, character in enumerate(digits) if character.isdigit()]
    place = rng.pick(places)
    other = (int(digits[place]) + rng.number(1, 9)) % 10
    return f"{digits[:place]}{other}{digits[place + 1 :]}"


def wrong_birth(rng: SeededRandom, born: date) -> date:
    """A date that differs from `born` in its day, month or year, as a misread form does."""
    part = rng.number(0, 2)
    if part == 0:
        return born.replace(day=born.day % 28 + 1)
    if part == 1:
        return born.replace(month=born.month % 12 + 1, day=min(born.day, 28))
    return born.replace(year=born.year + rng.pick((-10, -2, -1, 1, 2, 10)), day=min(born.day, 28))


def swapped_birth(born: date) -> date | None:
    """Day and month swapped, or None where that is no other date."""
    if born.day > 12 or born.day == born.month:
        return None
    return born.replace(month=born.day, day=born.month)
