import pytest

from blindmatch.node.imports.formats.company_registers import (
    in_united_kingdom,
    is_companies_house,
    of_united_kingdom,
    plausible,
)


@pytest.mark.parametrize(
    "stated",
    [
        "United Kingdom",
        "UK",
        "U.K.",
        "England & Wales",
        "england",
        "United Kingdom (Scotland)",
        "Northern Ireland",
        "gb",
        "GB-ENG",
        "London",
        "Cymru",
    ],
)
def test_the_united_kingdom_has_many_names(stated):
    assert in_united_kingdom(stated) is True


@pytest.mark.parametrize(
    "stated",
    [
        "Delaware",
        "Ireland",
        "New South Wales, Australia",
        "Jersey",
        "Isle of Man, UK",
        "British Virgin Islands",
        "Österreich",
        "us-de",
        "日本",
    ],
)
def test_other_places_are_not_the_united_kingdom(stated):
    assert in_united_kingdom(stated) is False


@pytest.mark.parametrize(
    "stated", ["", "-", "Register of Companies", "Companies Registry", "Not applicable", "N/A"]
)
def test_a_text_without_a_place_states_no_country(stated):
    assert in_united_kingdom(stated) is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ((), True),
        (("England", "Companies House"), True),
        (("", "Companies House"), True),
        (("", "Companies House, Cardiff"), True),
        (("", "Companies House Gibraltar"), False),
        (("", "Register of Companies", "Companies Act 2006"), True),
        (("", "", "", "France"), False),
        (("Delaware", "Delaware Division Of Corporations"), False),
        (("Jersey", "Companies House"), False),
        (("", "Delaware Division of Corporations"), False),
        (("United Kingdom", "Charity Commission"), False),
        (("England", "Financial Conduct Authority, Mutuals"), False),
        (("", "", "General Corporation Law of Delaware", "United Kingdom"), False),
    ],
)
def test_country_and_register_decide(stated, expected):
    padded = [*stated, "", "", "", ""][:4]
    assert is_companies_house(*padded) is expected


def test_numbers_of_overseas_companies_belong_to_companies_house():
    assert plausible("FC012345", domestic=False)
    assert not plausible("01234567", domestic=False)
    assert plausible("01234567", domestic=True)


def test_a_jurisdiction_that_is_not_stated_is_no_other_country():
    assert of_united_kingdom([])
    assert of_united_kingdom(["us", "gb"])
    assert not of_united_kingdom(["us-de"])
