"""Telephone numbers and e-mail addresses: what came in and what it is taken for."""

import pytest

from blindmatch.protocol.linkage.normalise import email, phone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0115 496 0123", "+441154960123"),
        ("(0115) 496 0123", "+441154960123"),
        ("0115-496-0123", "+441154960123"),
        ("01154960123", "+441154960123"),
        ("+44 115 496 0123", "+441154960123"),
        ("+44 (0)115 496 0123", "+441154960123"),
        ("0044 115 496 0123", "+441154960123"),
        ("44 115 496 0123", "+441154960123"),
        ("1154960123", "+441154960123"),
        ("07700900123", "+447700900123"),
        ("7700900123", "+447700900123"),
        ("7700900123.0", "+447700900123"),
        ("447700900123", "+447700900123"),
        ("0115 496 0123 ext 4", "+441154960123"),
        ("0115 496 0123 x4", "+441154960123"),
        ("0115 496 0123 / 07700 900123", "+441154960123"),
        ("0115 496 0123 or 07700 900123", "+441154960123"),
        ("Tel: 0115 496 0123", "+441154960123"),
        ("Mob. 07700 900123", "+447700900123"),
        ("0115\u2013496\u20130123", "+441154960123"),
        ("\u00a00115 496 0123", "+441154960123"),
        ("+353 1 234 5678", "+35312345678"),
        ("+1 (202) 555-0143", "+12025550143"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_phones(text, expected):
    assert phone(text) == expected
    assert phone(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["none", "12345", "0000000000", "11111111111", "0115 496 01234567890", "4.47701E+11", "call Jane", "/"],
)
def test_what_is_no_phone(text):
    with pytest.raises(ValueError, match="not a telephone number") as caught:
        phone(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jane.Doe@Example.gov.uk", "jane.doe@example.gov.uk"),
        (" jane@council.gov.uk ", "jane@council.gov.uk"),
        ("jane+tax@gmail.com", "jane+tax@gmail.com"),
        ("jane.d.oe@gmail.com", "jane.d.oe@gmail.com"),
        ("mailto:jane@council.gov.uk", "jane@council.gov.uk"),
        ("Jane Doe <jane@council.gov.uk>", "jane@council.gov.uk"),
        ("jane@council.gov.uk;", "jane@council.gov.uk"),
        ("o'neill@council.gov.uk", "o'neill@council.gov.uk"),
        ("jane@b\u00fccher.de", "jane@xn--bcher-kva.de"),
        ("", ""),
    ],
)
def test_emails(text, expected):
    assert email(text) == expected
    assert email(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jane",
        "jane@",
        "@council.gov.uk",
        "jane@council",
        "jane@@council.gov.uk",
        "jane doe@council.gov.uk",
        "a@b.uk, c@d.uk",
        ".jane@council.gov.uk",
        "j..e@council.gov.uk",
        "jane@-council.gov.uk",
        "none@council.gov.uk",
        "jane@example.com",
        "j\u00e4ne@council.gov.uk",
        "jane@\u2603..de",
    ],
)
def test_what_is_no_email(text):
    with pytest.raises(ValueError, match=r"^not an e-mail address|^a stand-in") as caught:
        email(text)
    assert text not in str(caught.value)
