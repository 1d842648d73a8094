"""Tables of awkward examples: what came in, what it is taken for."""

import pytest

from blindmatch.protocol.linkage.normalise import (
    FIELD_KINDS,
    LEVEL_TESTS,
    company_number,
    date,
    dates,
    forenames,
    forget,
    postcode,
    split_full_name,
    surname,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("John", "john"),
        ("  JOHN   Paul ", "john paul"),
        ("Mr John", "john"),
        ("Dr. Seán-Óg", "sean og"),
        ("Prof Sir David", "david"),
        ("Mr", ""),
        ("Anne-Marie", "anne marie"),
        ("D\u2019Arcy", "darcy"),
        ("D'Arcy", "darcy"),
        ("Łukasz", "lukasz"),
        ("Jürgen", "jurgen"),
        ("Ju\u0308rgen", "jurgen"),
        ("Дмитрий", "dmitriy"),
        ("İlker", "ilker"),
        ("\uff2a\uff4f\uff48\uff4e", "john"),  # full-width letters
        ("J.R.", "j r"),
        ("J. R.", "j r"),
        ("john_paul", "john paul"),
        ("\u200bJohn", "john"),
        ("O\u00a0Neil", "o neil"),
        ("-", ""),
        ("", ""),
    ],
)
def test_forenames(text, expected):
    assert forenames(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O'Brien", "obrien"),
        ("O\u2019Brien", "obrien"),
        ("O Brien", "obrien"),
        ("Ó Briain", "obriain"),
        ("Smith-Jones", "smithjones"),
        ("SMITH JONES", "smithjones"),
        ("Smith Jr.", "smith"),
        ("Smith OBE", "smith"),
        ("MacDonald", "macdonald"),
        ("Mac Donald", "macdonald"),
        ("van der Berg", "vanderberg"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("Żółć", "zolc"),
        ("Ma", "ma"),
        ("Lord", "lord"),
        ("St. John", "stjohn"),
        ("", ""),
    ],
)
def test_surname(text, expected):
    assert surname(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("John Smith", ("john", "smith")),
        ("Mr John Paul Smith", ("john paul", "smith")),
        ("SMITH, John Paul", ("john paul", "smith")),
        ("Smith, Dr. Jane", ("jane", "smith")),
        ("John Smith, OBE", ("john", "smith")),
        ("John Smith Jr", ("john", "smith")),
        ("Ludwig van Beethoven", ("ludwig", "vanbeethoven")),
        ("Anna de la Cruz", ("anna", "delacruz")),
        ("Van Morrison", ("van", "morrison")),
        ("James O'Brien", ("james", "obrien")),
        ("Jack Ma", ("jack", "ma")),
        ("Jones", ("", "jones")),
        ("van der Berg, Piet", ("piet", "vanderberg")),
        ("Mr", ("", "")),
        ("", ("", "")),
    ],
)
def test_full_names_are_split(text, expected):
    assert split_full_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-02-03", "1970-02-03"),
        ("1970-2-3", "1970-02-03"),
        ("1970/02/03", "1970-02-03"),
        ("03/02/1970", "1970-02-03"),
        ("3.2.1970", "1970-02-03"),
        ("03-02-1970", "1970-02-03"),
        ("3 Feb 1970", "1970-02-03"),
        ("03-FEB-1970", "1970-02-03"),
        ("3rd of February 1970", "1970-02-03"),
        ("3rd February, 1970", "1970-02-03"),
        ("Feb 3, 1970", "1970-02-03"),
        ("February 3rd 1970", "1970-02-03"),
        ("sept 1970", "1970-09"),
        ("Feb. 1970", "1970-02"),
        ("1970-02", "1970-02"),
        ("02/1970", "1970-02"),
        ("197002", "1970-02"),
        ("19700203", "1970-02-03"),
        ("1970", "1970"),
        ("1970-02-03T00:00:00Z", "1970-02-03"),
        ("1970-02-03 00:00:00", "1970-02-03"),
        (" 1970-02-03 ", "1970-02-03"),
        ("29/02/1972", "1972-02-29"),
        ("１９７０-０２-０３", "1970-02-03"),  # noqa: RUF001 - full-width digits are the point
        ("", ""),
    ],
)
def test_dates(text, expected):
    assert date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tuesday 3 February 1970", "1970-02-03"),
        ("Tue, 03 Feb 1970", "1970-02-03"),
        ("the 3rd of February, 1970", "1970-02-03"),
        ("3Feb1970", "1970-02-03"),
        ("1970 Feb 3", "1970-02-03"),
        ("1970-Feb-03", "1970-02-03"),
        ("1970 February", "1970-02"),
        ("03/02/1970 00:00", "1970-02-03"),
        ("3/2/1970 12:00:00 AM", "1970-02-03"),
        ("1970-02-03T00:00:00.000+00:00", "1970-02-03"),
        ("19700203.0", "1970-02-03"),
        ("1970.0", "1970"),
        ("25569", "1970-01-01"),  # a spreadsheet's day number
        ("25569.0", "1970-01-01"),
        ("36526", "2000-01-01"),
        ("1970-00-00", "1970"),
        ("00/00/1970", "1970"),
        ("1970-02-00", "1970-02"),
        ("01/01/1970", "1970-01-01"),
        ("1900", "1900"),
        ("\u0661\u0669\u0667\u0660-\u0660\u0662-\u0660\u0663", "1970-02-03"),  # Arabic-Indic digits
    ],
)
def test_dates_as_spreadsheets_and_people_write_them(text, expected):
    assert date(text) == expected
    assert date(expected) == expected


@pytest.mark.parametrize("text", ["1900-01-01", "01/01/1900", "1 January 1900", "19000101"])
def test_the_stand_in_for_no_date_is_refused(text):
    with pytest.raises(ValueError, match="not known"):
        date(text)
    with pytest.raises(ValueError, match="not known"):
        dates.lenient(text)


@pytest.mark.parametrize(
    "text", ["Feb-70", "Feb '70", "03.04.70", "9999-12-31", "31/12/9999", "99999", "1970-00-03", "1/2", "0"]
)
def test_more_that_is_no_date(text):
    with pytest.raises(ValueError, match=r"digits|range|form|month"):
        date(text)


def test_parts_of_a_date():
    assert dates.parse("3/4/1970") == dates.PartialDate(1970, 4, 3)
    assert dates.parse("3/4/1970", day_first=False) == dates.PartialDate(1970, 3, 4)
    assert dates.parse("April 1970") == dates.PartialDate(1970, 4)
    assert dates.parse(" ") is None
    assert str(dates.PartialDate(1970, 4)) == "1970-04"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-02-03", "1970-02-03"),
        ("1970-02-31", "1970-02"),
        ("1819-12-55", "1819-12"),
        ("1970-25-03", "1970-03-25"),
        ("19702503", "1970-03-25"),
        ("25/13/1970", "1970"),
        ("03/25/1970", "1970-03-25"),
        ("1970-13-32", "1970"),
        ("1970-13", "1970"),
        ("31 Feb 1970", "1970-02"),
        ("Mon 30 February 1970", "1970-02"),
        ("", ""),
    ],
)
def test_a_slip_of_the_pen_keeps_what_can_be_true(text, expected):
    assert dates.lenient(text) == expected
    assert dates.lenient(expected) == expected


@pytest.mark.parametrize("text", ["31/02/70", "unknown", "0970-13-01"])
def test_a_slip_in_the_year_is_refused(text):
    with pytest.raises(ValueError, match=r"digits|range|form|month"):
        dates.lenient(text)


def test_month_first_is_an_option():
    assert date("03/04/1970") == "1970-04-03"
    assert date("03/04/1970", day_first=False) == "1970-03-04"
    assert date("1970-03-04", day_first=False) == "1970-03-04"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("30/02/1970", "no such day"),
        ("29/02/1971", "no such day"),
        ("1819-12-55", "no such day"),
        ("1970-13-01", "no such month"),
        ("13/13/1970", "no such month"),
        ("03/04/70", "four digits"),
        ("3 Feb 70", "four digits"),
        ("0970-01-01", "out of range"),
        ("9999-01-01", "out of range"),
        ("3 Fob 1970", "unknown month"),
        ("3 Feb 4 1970", "not a date"),
        ("about 1970", "unknown month"),
        ("unknown", "not a date"),
        ("1970-02-03 12:30:00", "not a date"),
        ("1970--02", "not a date"),
    ],
)
def test_impossible_dates_say_why_and_do_not_repeat_themselves(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        date(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SW1A 1AA", "SW1A 1AA"),
        ("sw1a1aa", "SW1A 1AA"),
        (" ng9  8py ", "NG9 8PY"),
        ("N1 9GU", "N1 9GU"),
        ("n19gu", "N1 9GU"),
        ("W1A-0AX", "W1A 0AX"),
        ("GIR 0AA", "GIR 0AA"),
        ("NG9", "NG9"),
        ("NG9 8", "NG9 8"),
        ("", ""),
    ],
)
def test_postcodes(text, expected):
    assert postcode(text) == expected


@pytest.mark.parametrize(
    "text", ["12345", "75001 Paris", "NG9 8CY", "NGX 8PY", "unknown", "N G 9", "D02 AF30"]
)
def test_what_is_no_uk_postcode(text):
    with pytest.raises(ValueError, match=r"^not a UK postcode$"):
        postcode(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01234567", "01234567"),
        ("1234567", "01234567"),
        ("123", "00000123"),
        (" 0123 4567 ", "01234567"),
        ("1234567.0", "01234567"),
        ("sc12345", "SC012345"),
        ("SC 012345", "SC012345"),
        ("ni-1234", "NI001234"),
        ("OC301234", "OC301234"),
        ("R0000123", "R0000123"),
        ("IP27937R", "IP27937R"),
        ("", ""),
    ],
)
def test_company_numbers(text, expected):
    assert company_number(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("123456789", "too long"),
        ("SC1234567", "too long"),
        ("XX123456", "unknown prefix"),
        ("00000000", "zeros"),
        ("n/a", "wrong places"),
        ("GB 123 45 67 89", "unknown prefix"),
        ("1234567A", "wrong places"),
    ],
)
def test_what_is_no_company_number(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        company_number(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "test", "canonical", "expected"),
    [
        ("forenames", "first-word", "john paul", "john"),
        ("forenames", "first-word", "j", ""),
        ("forenames", "exact", "john paul", "john paul"),
        ("date", "full-date", "1970-02-03", "1970-02-03"),
        ("date", "full-date", "1970-02", ""),
        ("date", "unordered", "1970-03-02", "1970-02-03"),
        ("date", "unordered", "1970-02-03", "1970-02-03"),
        ("date", "unordered", "1970-02-13", "1970-02-13"),
        ("date", "unordered", "1970-02", ""),
        ("date", "year-day", "1970-02-03", "1970--03"),
        ("date", "month-day", "1970-02-03", "02-03"),
        ("date", "year", "1970-02", "1970"),
        ("date", "month", "1970", ""),
        ("date", "year-month", "1970-02-03", "1970-02"),
        ("date", "year-month", "1970-02", "1970-02"),
        ("date", "year-month", "1970", ""),
        ("postcode", "district", "NG9 8PY", "NG9"),
        ("postcode", "district", "NG9", "NG9"),
        ("postcode", "exact", "NG9 8PY", "NG9 8PY"),
        ("company-number", "exact", "01234567", "01234567"),
    ],
)
def test_level_tests(kind, test, canonical, expected):
    assert LEVEL_TESTS[kind][test](canonical) == expected


@pytest.mark.parametrize("kind", sorted(FIELD_KINDS))
def test_blank_stays_blank_at_every_level(kind):
    assert FIELD_KINDS[kind]("  ") == ""
    assert {test("") for test in LEVEL_TESTS[kind].values()} == {""}


def test_memories_are_emptied():
    forenames("Somebody")
    assert forenames.cache_info().currsize
    forget()
    assert not forenames.cache_info().currsize
