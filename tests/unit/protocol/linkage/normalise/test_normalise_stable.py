"""Whatever is typed: canonical text is a fixed point in ASCII, or there is a reason that does not repeat the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol.linkage.normalise import FIELD_KINDS, LEVEL_TESTS, split_full_name

# Words that rules look for, in any order.
WORDS = [
    "flat",
    "12",
    "12a",
    "00",
    "st",
    "saint",
    "john",
    "road",
    "rd",
    "the",
    "old",
    "a",
    "b",
    "c",
    "o",
    "j.p.",
    "obe",
    "dr",
    "mr",
    "ltd",
    "limited",
    "co",
    "and",
    "&",
    "|",
    ",",
    "-",
    "'",
    "nee",
    "t/a",
    "trading",
    "as",
    "GB",
    "01",
    "SC",
    "O1",
    "0",
    "1970",
    "13",
    "31",
    "feb",
    "2/3",
    "x",
    "s/o",
    "bin",
    "1st",
    "(x)",
    '"y"',
    "N/A",
    "basement",
    "floor",
    "po",
    "box",
    "upper",
    "nr",
    "near",
    "london",
    "n1",
    "zz99",
    "gir",
    "oc",
    "bfpo",
    "unknown",
    "张",
    "¼",
    "Й",
    "@",
    "+44",
    "0115",
    "4960123",
]
TYPED = st.one_of(st.text(max_size=25), st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join))


@pytest.mark.parametrize("kind", sorted(FIELD_KINDS))
@given(text=TYPED)
def test_canonical_text_is_a_fixed_point(kind, text):
    canonical_of = FIELD_KINDS[kind]
    try:
        canonical = canonical_of(text)
    except ValueError as error:
        reason = str(error)
        assert type(error) is ValueError  # noqa: PT017 - a library's own subclass would carry the text
    else:
        reason = ""
        assert canonical.isascii()
        assert canonical_of(canonical) == canonical
        assert all(test(canonical).isascii() for test in LEVEL_TESTS[kind].values())
    assert len(text) < 6 or text not in reason


@given(TYPED, TYPED)
def test_whole_names_split_into_canonical_parts(given_text, family):
    first, last = split_full_name(f"{given_text} {family}")
    assert first.isascii()
    assert last.isascii()
    assert "  " not in first
    assert " " not in last


@pytest.mark.parametrize("kind", ["forenames", "surname", "company-name", "address", "town"])
def test_a_broken_file_is_no_name(kind):
    assert FIELD_KINDS[kind]("ab " * 400) == ""
    assert FIELD_KINDS[kind]("\u5f20" * 900) == ""  # its transliteration is too long
    assert split_full_name("ab " * 400) == ("", "")
