import pytest

from blindmatch.protocol.linkage.normalise.address_endings import ending


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 High Street, Leeds, LS1 1AA", ("LS1 1AA", "Leeds")),
        ("1 High Street Leeds LS1 1AA", ("LS1 1AA", "Leeds")),
        ("12 High Street, Wakefield, West Yorkshire, WF1 1AA, United Kingdom", ("WF1 1AA", "Wakefield")),
        ("10 Park Row, Leeds LS1 IAA UK", ("LS1 1AA", "Leeds")),
        ("1 High Street\nSt. Albans\nAL1 1AA", ("AL1 1AA", "St Albans")),
        ("PO Box 5, Hull, hu11aa", ("HU1 1AA", "Hull")),
        ("12 Church Lane, Ely", ("", "Ely")),
        ("Suite 4, Regus House, LS1 1AA", ("LS1 1AA", "")),
        ("LS1 1AA", ("LS1 1AA", "")),
        ("Flat 2, 12 High Street", ("", "")),
        ("Rose Cottage, Longthorpe", ("", "")),
        ("22 rue de Rivoli, 75001 Paris", ("", "")),
        ("4 Fen Road", ("", "")),
        ("", ("", "")),
        ("x" * 2_000, ("", "")),
    ],
)
def test_the_end_of_an_address(text, expected):
    assert ending(text) == expected
