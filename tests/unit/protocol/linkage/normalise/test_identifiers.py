"""Numbers that a register gives out: what came in and what it is taken for."""

import pytest

from blindmatch.protocol.linkage.normalise import bank_account, company_number, vat_number, vehicle


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234567", "01234567"),
        ("O1234567", "01234567"),  # the letter O
        ("SC O12345", "SC012345"),
        ("sc12345", "SC012345"),
        ("OC301234", "OC301234"),
        ("oc 1234", "OC001234"),
        ("SO300123", "SO300123"),
        ("NI 614", "NI000614"),
        ("R123", "R0000123"),
        ("Company No. 01234567", "01234567"),
        ("Reg. No: 1234567", "01234567"),
        ("CRN 01234567", "01234567"),
        ("GB-COH-01234567", "01234567"),
        ("1234567.0", "01234567"),
        ("FC012345", "FC012345"),
        ("CE012345", "CE012345"),
        ("IP27937R", "IP27937R"),
        ("\uff11\uff12\uff13", "00000123"),
    ],
)
def test_company_numbers(text, expected):
    assert company_number(text) == expected
    assert company_number(expected) == expected


@pytest.mark.parametrize(
    "text", ["OC", "SC", "SC000000", "ABCDEFGH", "GB123456782", "123456789", "12345678 LLP"]
)
def test_what_is_no_company_number(text):
    with pytest.raises(ValueError, match="not a company number") as caught:
        company_number(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GB980780684", "GB980780684"),
        ("GB 980 7806 84", "GB980780684"),
        ("980780684", "GB980780684"),
        ("980-7806-84", "GB980780684"),
        ("gb980780684", "GB980780684"),
        ("XI980780684", "GB980780684"),
        ("GB980780684001", "GB980780684"),  # a branch
        ("VAT Reg No: GB 980 7806 84", "GB980780684"),
        ("DE136695976", "DE136695976"),
        ("", ""),
    ],
)
def test_vat_numbers(text, expected):
    assert vat_number(text) == expected
    assert vat_number(expected) == expected


@pytest.mark.parametrize(
    "text", ["GB980780685", "980780685", "12345", "XX123456789", "DE136695977", "000000000", "none"]
)
def test_what_is_no_vat_number(text):
    with pytest.raises(ValueError, match="not a VAT number") as caught:
        vat_number(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AB12 CDE", "AB12CDE"),
        ("ab12cde", "AB12CDE"),
        ("AB1O CDE", "AB10CDE"),
        ("ABI2 CDE", "AB12CDE"),
        ("0A12 BCD", "OA12BCD"),
        ("AB12 0DE", "AB12ODE"),
        ("A123 BCD", "A123BCD"),
        ("AI23 BCD", "A123BCD"),
        ("ABC 123D", "ABC123D"),
        ("ABC I23D", "ABC123D"),
        ("ABC 1", "ABC1"),
        ("1 ABC", "1ABC"),
        ("AB 1234", "AB1234"),
        ("GIZ 1234", "GIZ1234"),
        ("Q123 ABC", "Q123ABC"),
        ("101 D 234", "101D234"),
        ("AB-12-CDE", "AB12CDE"),
        ("", ""),
    ],
)
def test_vehicles(text, expected):
    assert vehicle(text) == expected
    assert vehicle(expected) == expected


@pytest.mark.parametrize("text", ["ABCDEFG", "1234567", "AB12 CDEF", "none at all", "AB1?CDE", "A"])
def test_what_is_no_vehicle_mark(text):
    with pytest.raises(ValueError, match="not a vehicle mark") as caught:
        vehicle(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12-34-56 12345678", "123456 12345678"),
        ("123456 12345678", "123456 12345678"),
        ("12345612345678", "123456 12345678"),
        ("12 34 56 / 12345678", "123456 12345678"),
        ("Sort code: 12-34-56 Account no: 12345678", "123456 12345678"),
        ("S/C 12-34-56 A/C 12345678", "123456 12345678"),
        ("12-34-56 1234567", "123456 01234567"),
        ("12-34-56 123456", "123456 00123456"),
        ("GB29 NWBK 6016 1331 9268 19", "601613 31926819"),
        ("GB29NWBK60161331926819", "601613 31926819"),
        ("IBAN: GB29NWBK60161331926819", "601613 31926819"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("", ""),
    ],
)
def test_bank_accounts(text, expected):
    assert bank_account(text) == expected
    assert bank_account(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "12345678",
        "12-34-56",
        "00-00-00 12345678",
        "12-34-56 00000000",
        "GB28NWBK60161331926819",
        "DE88370400440532013000",
        "cash",
    ],
)
def test_what_is_no_bank_account(text):
    with pytest.raises(ValueError, match=r"account|IBAN") as caught:
        bank_account(text)
    assert text not in str(caught.value)
