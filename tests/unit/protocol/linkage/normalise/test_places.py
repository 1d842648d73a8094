"""Postcodes, addresses and towns: what came in and what it is taken for."""

import pytest

from blindmatch.protocol.linkage.normalise import (
    FIELD_KINDS,
    LEVEL_TESTS,
    address,
    places,
    postcode,
    town,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SW1A OAA", ("SW1A", "0AA")),  # the letter O for the digit
        ("SW1A IAA", ("SW1A", "1AA")),
        ("N1O 9GU", ("N10", "9GU")),
        ("ECIA 1BB", ("EC1A", "1BB")),
        ("G I R 0 A A", ("GIR", "0AA")),
        ("gir0aa", ("GIR", "0AA")),
        ("BFPO 57", ("BFPO", "57")),
        ("bfpo057", ("BFPO", "57")),
        ("B.F.P.O. 5", ("BFPO", "5")),
        ("BF1 2AT", ("BF1", "2AT")),
        ("W1A 0AX", ("W1A", "0AX")),
        ("w1a0ax", ("W1A", "0AX")),
        ("M1 1AE", ("M1", "1AE")),
        ("B33 8TH", ("B33", "8TH")),
        ("CR2 6XH", ("CR2", "6XH")),
        ("DN55 1PT", ("DN55", "1PT")),
        ("JE2 3AB", ("JE2", "3AB")),
        ("FIQQ 1ZZ", ("FIQQ", "1ZZ")),
        ("EC1A", ("EC1A", "")),
        ("\uff33\uff37\uff11A 1AA", ("SW1A", "1AA")),
        ("  ", ("", "")),
    ],
)
def test_postcodes_in_two_parts(text, expected):
    assert places.postcode(text) == expected
    assert postcode(text) == " ".join(expected).strip()


@pytest.mark.parametrize("text", ["ZZ99 3WZ", "ABCD 1ZZ", "BFPO", "SW1A 1A", "A1A 1A1", "1AA SW1A"])
def test_what_is_no_uk_postcode(text):
    with pytest.raises(ValueError, match=r"^not a UK postcode") as caught:
        postcode(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "test", "canonical", "expected"),
    [
        ("postcode", "full", "NG9 8PY", "NG9 8PY"),
        ("postcode", "full", "NG9 8", ""),
        ("postcode", "full", "NG9", ""),
        ("postcode", "sector", "NG9 8PY", "NG9 8"),
        ("postcode", "sector", "NG9", ""),
        ("postcode", "district", "BFPO 57", "BFPO 57"),
        ("postcode", "full", "BFPO 57", "BFPO 57"),
        ("address", "number-street", "12a|high street", "12a|highstreet"),
        ("address", "number-street", "|high street", ""),
        ("address", "number-street", "12a|", ""),
        ("address", "street", "12a|high street", "highstreet"),
        ("address", "street", "", ""),
        ("address", "number", "12a|high street", "12a"),
        ("town", "exact", "stratford on avon", "stratfordonavon"),
        ("town", "metaphone", "stratford on avon", "STRTFRTNFN"),
    ],
)
def test_levels(kind, test, canonical, expected):
    assert LEVEL_TESTS[kind][test](canonical) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 High Street", ("12", "high street")),
        ("12, High Street", ("12", "high street")),
        ("12 High St", ("12", "high street")),
        ("12 High St.", ("12", "high street")),
        ("12 HIGH ST, BEESTON, NOTTINGHAM NG9 2JP", ("12", "high street")),
        ("12 High Street Beeston Nottingham", ("12", "high street")),
        ("12 High St Beeston", ("12", "high street")),
        ("12A High Street", ("12a", "high street")),
        ("12 a High Street", ("12a", "high street")),
        ("012 High Street", ("12", "high street")),
        ("12-14 High Street", ("12 14", "high street")),
        ("No. 12 High Street", ("12", "high street")),
        ("Number 12, High Street", ("12", "high street")),
        ("Flat 3, 12 High Street", ("12", "high street")),
        ("Flat 3 12 High Street", ("12", "high street")),
        ("Flat 3B, 12 High Street", ("12", "high street")),
        ("Apt. 7, 12 High Street", ("12", "high street")),
        ("Unit 4, 12 High Street", ("12", "high street")),
        ("Ground Floor Flat, 12 High Street", ("12", "high street")),
        ("First Floor, 12 High Street", ("12", "high street")),
        ("c/o Mrs Jones, 12 High Street", ("12", "high street")),
        ("Rose Cottage, 12 Church Lane", ("12", "church lane")),
        ("The Old Rectory, Church Lane", ("old rectory", "church lane")),
        ("The Old Rectory, Church Ln, Little Snoring", ("old rectory", "church lane")),
        ("The Old Rectory", ("old rectory", "")),
        ("The Old Rectory, Little Snoring", ("old rectory", "")),
        ("Church Lane", ("", "church lane")),
        ("12 St John's Rd", ("12", "st johns road")),
        ("12 St. Johns Road", ("12", "st johns road")),
        ("12 Saint John's Road", ("12", "st johns road")),
        ("12 St John's St", ("12", "st johns street")),
        ("12 Upper St Peters Street", ("12", "upper st peters street")),
        ("5 Park Ave", ("5", "park avenue")),
        ("5 Park Av North", ("5", "park avenue north")),
        ("5 The Cresc.", ("5", "crescent")),
        ("5 Broadway", ("5", "broadway")),
        ("Broadway", ("", "broadway")),
        ("5 Victoria Gdns", ("5", "victoria gardens")),
        ("5 Gt Western Rd", ("5", "great western road")),
        ("5 Dr Barnardo Way", ("5", "dr barnardo way")),
        ("5 Heol Fawr", ("5", "heol fawr")),
        ("10 Downing Street\nLondon\nSW1A 2AA", ("10", "downing street")),
        ("PO Box 123, Leeds", ("po box 123", "")),
        ("P.O. Box 123", ("po box 123", "")),
        ("12|High St", ("12", "high street")),
        ("|High St", ("", "high street")),
        ("", ("", "")),
        (" , ", ("", "")),
    ],
)
def test_addresses(text, expected):
    assert places.address(text) == expected
    assert address(address(text)) == address(text)


def test_what_surely_ends_a_street_may_end_one():
    assert places.ALWAYS_STREETS <= places._STREETS
    assert set(places._TYPES.values()) <= places._STREETS


@pytest.mark.parametrize(
    ("number", "road", "expected"),
    [
        ("12", "High St", ("12", "high street")),
        ("12 A", "High St", ("12a", "high street")),
        ("Flat 2, 12", "High Street", ("12", "high street")),
        ("", "12 High Street", ("12", "high street")),
        ("The Old Rectory", "Church Lane", ("old rectory", "church lane")),
        ("", "", ("", "")),
    ],
)
def test_addresses_in_columns(number, road, expected):
    assert places.address_parts(number, road) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NOTTINGHAM", "nottingham"),
        ("Stratford-upon-Avon", "stratford on avon"),
        ("Stratford on Avon, Warwickshire", "stratford on avon"),
        ("Gt. Yarmouth", "great yarmouth"),
        ("King's Lynn", "kings lynn"),
        ("Bury Saint Edmunds", "bury st edmunds"),
        ("St. Albans", "st albans"),
        ("London SW1A", "london"),
        ("London N1", "london"),
        ("London SW1A 2AA", "london"),
        ("Greater London", "london"),
        ("Newcastle-upon-Tyne", "newcastle"),
        ("Caerdydd", "cardiff"),
        ("Ashby nr Leicester", "ashby"),
        ("Burton (Staffs)", "burton"),
        ("Ynys M\u00f4n", "ynys mon"),
        ("", ""),
    ],
)
def test_towns(text, expected):
    assert town(text) == expected
    assert town(expected) == expected


@pytest.mark.parametrize("text", ["@@@ Jane Doe", "12/34/56 Jane", "\u0663\u0664 Jane"])
@pytest.mark.parametrize(
    "kind", ["postcode", "date", "company-number", "vat-number", "phone", "email", "bank-account"]
)
def test_no_reason_repeats_what_was_typed(kind, text):
    with pytest.raises(ValueError, match=r"^(not|a|the|there|unknown|neither) ") as caught:
        FIELD_KINDS[kind](text)
    assert "Jane" not in str(caught.value)
