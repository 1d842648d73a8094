"""Names of people and companies: tables of awkward examples, what came in and what it is taken for."""

import pytest

from blindmatch.protocol.linkage.normalise import (
    FIELD_KINDS,
    LEVEL_TESTS,
    company,
    forenames,
    nicknames,
    split_full_name,
    surname,
)
from blindmatch.protocol.linkage.normalise.nicknames import canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("J.R.", "j r"),
        ("J.R.R", "j r r"),
        ("J", "j"),
        ("Elizabeth (Liz)", "elizabeth"),
        ('William "Bill"', "william"),
        ("William \u201cBill\u201d Henry", "william henry"),
        ("William 'Bill'", "william"),
        ("(Liz)", "liz"),
        ("The Rt. Hon. David", "david"),
        ("Wg Cdr Guy", "guy"),
        ("Col", "col"),
        ("Mrs", ""),
        ("N/A", ""),
        ("unknown", ""),
        ("NULL", ""),
        ("Null", "null"),
        ("Nan", "nan"),
        ("Jean\u2010Luc", "jean luc"),  # a typographer's hyphen
        ("JOS\u00c9 MAR\u00cdA", "jose maria"),
        ("\u00c6thelred", "aethelred"),
        ("\u00d8ystein", "oystein"),
        ("\u0413\u0435\u043e\u0440\u0433\u0438\u0439", "georgiy"),
        ("\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2", "giorgos"),
        ("\u0645\u062d\u0645\u062f", "mhmd"),
        ("Nguy\u1ec5n", "nguyen"),
        ("1st John", "john"),
        ("Mr J. Paul", "j paul"),
        (" ", ""),
    ],
)
def test_forenames(text, expected):
    assert forenames(text) == expected
    assert forenames(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Smith (n\u00e9e Jones)", "smith"),
        ("Smith n\u00e9e Jones", "smith"),
        ("Smith nee Jones", "smith"),
        ("Nee", "nee"),
        ("Smith formerly Brown", "smith"),
        ("Smith O.B.E.", "smith"),
        ("Smith M.B.E., J.P.", "smith"),
        ("Smith III", "smith"),
        ("Smith snr", "smith"),
        ("M'Donald", "mcdonald"),
        ("M\u2018Gregor", "mcgregor"),
        ("Mc Donald", "mcdonald"),
        ("Saint John", "stjohn"),
        ("St-John", "stjohn"),
        ("Saint", "saint"),
        ("al-Hassan", "alhassan"),
        ("Al Hassan", "alhassan"),
        ("bin Laden", "binladen"),
        ("D'Souza", "dsouza"),
        ("De La Cruz", "delacruz"),
        ("Ma", "ma"),
        ("King", "king"),
        ("O\u02bcNeill", "oneill"),
        ("O`Neill", "oneill"),
        ("Fitz-Gerald", "fitzgerald"),
        ("\u0418\u0432\u0430\u043d\u043e\u0432\u0430", "ivanova"),
        ("not known", ""),
        ("un-known", ""),
        ("None", ""),
        ("Knowne", "knowne"),
    ],
)
def test_surname(text, expected):
    assert surname(text) == expected
    assert surname(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SMITH, John, Mr", ("john", "smith")),
        ("SMITH, J.P.", ("j p", "smith")),
        ("Smith, John OBE", ("john", "smith")),
        ("SMITH, John Paul, O.B.E.", ("john paul", "smith")),
        ("John Smith, Jr., OBE", ("john", "smith")),
        ("O'BRIEN, Mary-Kate", ("mary kate", "obrien")),
        ("SMITH John", ("john", "smith")),
        ("DUPONT Jean-Pierre", ("jean pierre", "dupont")),
        ("Jean DUPONT", ("jean", "dupont")),
        ("Ana GARCIA LOPEZ", ("ana", "garcialopez")),
        ("JOHN PAUL SMITH", ("john paul", "smith")),
        ("JP Morgan", ("jp", "morgan")),
        ("James O Brien", ("james", "obrien")),
        ("James O Smith", ("james o", "smith")),
        ("James Mc Donald", ("james", "mcdonald")),
        ("J.R.R. Tolkien", ("j r r", "tolkien")),
        ("Sir John Smith KBE", ("john", "smith")),
        ("Oliver St John", ("oliver", "stjohn")),
        ("Ahmed bin Khalid", ("ahmed", "binkhalid")),
        ("Abu Bakr al-Siddiq", ("abu bakr", "alsiddiq")),
        ("Piet van der Berg", ("piet", "vanderberg")),
        ("Ravi s/o Kumar", ("ravi", "kumar")),
        ("Priya a/p Raj", ("priya", "raj")),
        ("Mary Smith n\u00e9e Jones", ("mary", "smith")),
        ('William "Bill" Gates', ("william", "gates")),
        ("\u5f20\u4f1f", ("wei", "zhang")),
        ("\u6b27\u9633\u4fee", ("xiu", "ouyang")),
        ("\uae40\ubbfc\uc900", ("minjun", "gim")),
        ("Unknown", ("", "")),
        ("N/A", ("", "")),
        (", John", ("john", "")),
        ("Smith,", ("", "smith")),
    ],
)
def test_full_names_are_split(text, expected):
    assert split_full_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme Ltd", "acme"),
        ("ACME LIMITED", "acme"),
        ("Acme Ltd.", "acme"),
        ("The Acme Company Limited", "acme company"),
        ("Acme & Co. Ltd", "acme and company"),
        ("Acme and Company", "acme and company"),
        ("Acme P.L.C.", "acme"),
        ("Acme Public Limited Company", "acme"),
        ("Smith & Jones LLP", "smith and jones"),
        ("Smith + Jones L.L.P.", "smith and jones"),
        ("Smith Bros. (Holdings) Limited", "smith brothers holdings"),
        ("A.B.C. Plumbing Ltd", "abc plumbing"),
        ("A B C Plumbing Limited", "abc plumbing"),
        ("ABC Plumbing", "abc plumbing"),
        ("Helping Hands C.I.C.", "helping hands"),
        ("Helping Hands Community Interest Company", "helping hands"),
        ("Acme (UK) Ltd", "acme uk"),
        ("Acme Intl. Svcs Ltd", "acme international services"),
        ("Acme Ltd t/a Best Taxis", "acme"),
        ("Acme Ltd trading as Best Taxis", "acme"),
        ("Limited", "limited"),
        ("The Limited", "limited"),
        ("Siop Cyf", "siop"),
        ("M\u00fcller GmbH & Co. KG", "muller gmbh and company"),
        ("Fran\u00e7ois S.A.R.L.", "francois"),
        ("L'Or\u00e9al S.A.", "loreal"),
        ("O'Reilly's Pub", "oreillys pub"),
        ("3i Group plc", "3i group"),
        ("n/a", ""),
        ("", ""),
    ],
)
def test_company(text, expected):
    assert company(text) == expected
    assert company(expected) == expected


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("bill", "william"),
        ("liam", "william"),
        ("liz", "elizabeth"),
        ("lizzie", "elizabeth"),
        ("betty", "elizabeth"),
        ("beth", "bethany"),
        ("bob", "robert"),
        ("dick", "richard"),
        ("peggy", "margaret"),
        ("jack", "john"),
        ("jon", "john"),
        ("sean", "john"),
        ("harry", "henry"),
        ("ted", "edward"),
        ("kate", "catherine"),
        ("kathryn", "catherine"),
        ("katherine", "catherine"),
        ("mohamed", "mohammed"),
        ("muhammad", "mohammed"),
        ("mhmd", "mohammed"),
        ("fred", "frederick"),
        ("alf", "alfred"),
        ("ali", "ali"),
        ("aisha", "ayesha"),
        ("tony", "anthony"),
        ("dafydd", "david"),
        ("hamish", "james"),
        ("thos", "thomas"),
        ("wm", "william"),
        ("jas", "james"),
        ("william", "william"),
        ("xylophone", "xylophone"),
        ("", ""),
    ],
)
def test_nicknames(form, name):
    assert canonical(form) == name


def test_the_table_of_nicknames_is_made_of_classes():
    table = nicknames.TABLE
    assert len(table) > 900
    assert len(set(table.values())) > 280
    for form, name in table.items():
        assert form.isascii(), form
        assert form == form.strip().lower(), form
        assert name not in table, f"{form} leads to {name}, which leads further"
        assert form != name


def test_no_form_stands_under_two_names():
    seen: dict[str, str] = {}
    for line in nicknames._FORMS.strip().splitlines():
        name, _, forms = line.partition(":")
        for form in forms.split():
            if "-" not in form:
                assert form not in seen, f"{form} is {seen.get(form)} and {name}"
                seen[form] = name


FORENAME = LEVEL_TESTS["forenames"]
SURNAME = LEVEL_TESTS["surname"]


@pytest.mark.parametrize(
    ("test", "canonical", "expected"),
    [
        ("nickname", "bill john", "william"),
        ("nickname", "b", ""),
        ("metaphone", "bill", "ALM"),
        ("metaphone", "wiliam", "ALM"),
        ("metaphone", "hh", "hh"),
        ("first3", "jonathan", "jon"),
        ("first3", "jo", "jo"),
        ("first3", "j", ""),
        ("initial", "john", "j"),
        ("initial", "j", "j"),
    ],
)
def test_levels_of_forenames(test, canonical, expected):
    assert FORENAME[test](canonical) == expected


def test_mc_and_mac_sound_the_same():
    sounds = {
        SURNAME["metaphone"](surname(text)) for text in ("McDonald", "MacDonald", "M'Donald", "Mc Donald")
    }
    assert sounds == {"MKTNLT"}


@pytest.mark.parametrize("kind", sorted(FIELD_KINDS))
def test_every_kind_has_tests(kind):
    assert LEVEL_TESTS[kind]
