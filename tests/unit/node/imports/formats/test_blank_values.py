import pytest

from blindmatch.node.imports.formats.blank_values import (
    has_ended,
    implausible_birth,
    iso_day,
    placeholders,
)
from blindmatch.node.imports.formats.field_values import canonical, person_name

TODAY = "2026-11-28"


@pytest.mark.parametrize(
    ("date", "implausible"),
    [
        ("", False),
        ("2026", False),
        ("2026-11", False),
        ("2026-12", True),
        ("2026-11-29", True),
        ("2027", True),
        ("1906", False),
        ("1906-11-28", False),
        ("1906-11-27", True),
        ("1905", True),
    ],
)
def test_a_date_of_birth_is_of_the_last_120_years(date, implausible):
    assert implausible_birth(date, TODAY) is implausible
    assert not implausible_birth(date, "")


@pytest.mark.parametrize(
    ("end", "ended"),
    [
        ("", False),
        ("2026-11-27", True),
        (TODAY, True),
        ("2026-11-29", False),
        ("2026-11", False),
        ("2026-10", True),
        ("2026", False),
        ("2025", True),
        ("2099-12-31", False),
    ],
)
def test_an_end_date_ahead_has_not_ended(end, ended):
    assert has_ended(end, TODAY) is ended
    assert has_ended(end, "") is bool(end)


@pytest.mark.parametrize(
    "text",
    [
        "N/A",
        "n/a",
        "N/a",
        "n/k",
        "TBC",
        "tbc",
        "None",
        "#N/A",
        "-",
        "Unknown",
        "NOT PROVIDED",
        "Not Provided",
        "\u2013",
    ],
)
def test_placeholders_are_blank_in_every_field(text):
    for name in ("reference", "surname", "company_name", "postcode", "contract_end", "facts"):
        assert text in placeholders(name)
    assert canonical("company_number", text) == ("", "")
    assert person_name("Ann", text) == ("Ann", "")


@pytest.mark.parametrize("surname", ["Na", "Null", "Nan", "Nil", "X"])
def test_names_that_look_like_placeholders_remain(surname):
    assert surname not in placeholders("surname")


def test_a_day_is_that_of_utc():
    assert iso_day(0) == "1970-01-01"
