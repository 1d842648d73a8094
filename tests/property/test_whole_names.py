"""A whole name in one cell gives the same forenames and surname as the same name in two columns."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blindmatch.protocol.linkage import RecordBuilder, load_schema
from blindmatch.protocol.linkage.normalise import forenames, split_full_name, surname

FORENAMES = [
    "Ann",
    "Seán",
    "Jean-Pierre",
    "Mary Jane",
    "Zoë",
    "Omar",
    "Chidi",
    "Ram",
    "Łukasz",
    "D'Arcy",
    "J. R.",
    "Thi Thu",
]
WORDS = ["Smith", "Jones", "O'Neill", "Byrne", "McAllister", "Garcia", "Nowak", "Ó Briain", "Müller", "Abara"]
HYPHENS = ["-", "\u2010", "\u2011", "\u2013"]
PARTICLES = [
    "van der",
    "van den",
    "de la",
    "von",
    "al-",
    "el-",
    "Ó",
    "Ní",
    "Nic",
    "bin",
    "St",
    "di",
    "Mac",
    "ter",
    "van 't",
]
TITLED = ["Lord", "Mba", "KC", "Bishop", "Major", "Senior", "Judge", "Dean", "Lady", "Marquess", "Mbe"]


@st.composite
def surnames(draw):
    kind = draw(st.sampled_from(["plain", "hyphen", "particle", "title"]))
    if kind == "title":
        return draw(st.sampled_from(TITLED))
    word = draw(st.sampled_from(WORDS))
    if kind == "hyphen":
        return word + draw(st.sampled_from(HYPHENS)) + draw(st.sampled_from(WORDS[:5]))
    if kind == "particle":
        particle = draw(st.sampled_from(PARTICLES))
        word = word.replace(" ", "")
        return particle + word if particle.endswith("-") else f"{particle} {word}"
    return word if word[1] != " " else word.replace(" ", "")


def ambiguous(first, last):
    """`Mary Jane KC` may be a King's Counsel, and `Mary Jane Senior` the elder, with the surname Jane: a whole name is read so."""
    return last in {"KC", "Senior"} and " " in first


SPELLINGS = [
    "{first} {last}",
    "{title} {first} {last}",
    "{last}, {first}",
    "{last}, {title} {first}",
    "{last}, {first}, {title}",
    "{title}, {last}, {first}",
    "  {first}   {last} ",
    "{first} {last} (director)",
]


@given(
    st.sampled_from(FORENAMES),
    surnames(),
    st.sampled_from(SPELLINGS),
    st.sampled_from(["Mr", "Mrs", "Ms", "Dr", "Dr."]),
)
def test_whole_and_split_spellings_give_the_same_columns(first, last, spelling, title):
    assume(not ambiguous(first, last))
    whole = spelling.format(first=first, last=last, title=title)
    assert split_full_name(whole) == (forenames(first), surname(last))


@given(st.sampled_from(FORENAMES), surnames())
def test_whole_and_split_spellings_give_the_same_digests(first, last):
    assume(not ambiguous(first, last))
    builder = RecordBuilder(load_schema("uk-person-company-2"))
    split = split_full_name(f"{first} {last}")
    rows = [{"forenames": first, "surname": last}, {"forenames": split[0], "surname": split[1]}]
    one, other = (builder.array(builder.rows([row])).tobytes() for row in rows)
    assert one == other


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ("Smith OBE", ("", "smith")),
        ("Mr Lord", ("", "lord")),
        ("Lord", ("", "lord")),
        ("Mary Jane KC", ("mary", "jane")),
        ("Mary Jane Senior", ("mary", "jane")),
        ("Ngozi Ada Mba", ("ngozi ada", "mba")),
        ("John Smith MBA", ("john", "smith")),
        ("Ann Lord OBE", ("ann", "lord")),
        ("van der Berg", ("", "vanderberg")),
        ("Berg, Piet van der", ("piet", "vanderberg")),
        ("DE LA CRUZ Ana", ("ana", "delacruz")),
        ("SMITH-JONES Ann", ("ann", "smithjones")),
        ("Ann Smith - Jones", ("ann", "smithjones")),
    ],
)
def test_names_with_one_right_reading(whole, expected):
    assert split_full_name(whole) == expected
