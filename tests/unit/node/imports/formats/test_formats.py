"""Files in the published layouts, all people invented: officers bulk, PSC, OCDS, BODS, FollowTheMoney."""

import json
import re
import tracemalloc
from importlib.util import find_spec

import pytest
from tests.support.paths import FORMATS

from blindmatch.node.imports.formats import (
    Format,
    Period,
    ReadContext,
    SourceRecord,
    read_file,
    read_register,
    recognise_format,
)
from blindmatch.node.imports.formats.appointments import overlap
from blindmatch.node.imports.formats.json_stream import read_items
from blindmatch.protocol.errors import InputError

OFFICERS = FORMATS / "officers-216.dat"
PSC = FORMATS / "psc.jsonl"
PAVING = "01234567"
UNKNOWN = Period()


def of(path, **options):
    """All drafts of a file by itself, and the counts."""
    context = ReadContext(**options)
    return list(read_file(recognise_format(path), path, context)), context


def behind(path, *companies, context=None, contract=UNKNOWN, **options):
    """The people behind companies, out of a register."""
    wanted = {
        number: [SourceRecord("K1", "P", {"contract_reference": "C10"}, 2, contract)] for number in companies
    }
    return list(read_register(path, wanted, context or ReadContext(**options)))


def names(draft):
    return [
        f"{item['forenames']} {item['surname']}" for part in draft.parts for item in part if "surname" in item
    ]


def values(draft, name):
    return [item[name] for part in draft.parts for item in part if name in item]


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("officers-216.dat", Format.OFFICERS),
        ("psc.jsonl", Format.PSC),
        ("suppliers.csv", Format.TABLE),
        ("ocds-release-package.json", Format.OCDS),
        ("ocds-record-package.json", Format.OCDS),
        ("ocds-releases.jsonl", Format.OCDS),
        ("bods.json", Format.BODS),
        ("bods.jsonl", Format.BODS),
        ("ftm.jsonl", Format.FTM),
    ],
)
def test_a_format_is_told_by_the_content(tmp_path, name, form):
    assert recognise_format(FORMATS / name) is form
    moved = tmp_path / "data"
    moved.write_bytes(b"\xef\xbb\xbf" + (FORMATS / name).read_bytes())
    assert recognise_format(moved) is form


def test_json_of_no_known_format_is_refused_with_what_is_known(tmp_path):
    for text in ('{"a": 1}\n', '[{"a": 1}]', "[]", "{", "[[1]]"):
        with pytest.raises(InputError, match="of an unknown format") as caught:
            recognise_format(write(tmp_path / "x.json", text))
        assert "OCDS" in caught.value.hint


# ---- officers bulk


def test_officers_of_a_company_with_role_and_dates():
    found = behind(OFFICERS, PAVING)
    assert [(draft.facts["role"], names(draft), values(draft, "date_of_birth")) for draft in found] == [
        ("director", ["Ada Rose QUILLFEATHER"], ["1970-02"]),
        ("corporate secretary", [], []),
        ("director", ["Bram O'TARROW"], ["1981-11-30"]),
    ]
    first, corporate, _ = found
    assert first.parts[2] == [{"address": "12 Wren Lane", "town": "NOTTINGHAM", "postcode": "NG9 8PY"}]
    assert first.facts == {
        "company_number": PAVING,
        "role": "director",
        "appointed_on": "2019-04-01",
        "contract_reference": "C10",
    }
    assert first.provenance["person_number"] == "100000010001"
    assert values(corporate, "company_name") == ["MOORSIDE SECRETARIES LIMITED"]


def test_resigned_officers_come_when_asked_for_and_entries_made_in_error_never():
    context = ReadContext()
    assert not any(draft.facts.get("resigned_on") for draft in behind(OFFICERS, PAVING, context=context))
    assert context.ceased == 1
    found = behind(OFFICERS, PAVING, include_ceased=True)
    assert [draft.facts.get("resigned_on") for draft in found] == [None, "2018-06-30", None, None]
    assert found[1].facts["role"] == "director"
    assert not any("Entry" in name for draft in found for name in names(draft))


def test_one_person_at_two_companies_is_one_entity():
    found = [
        draft for draft in behind(OFFICERS, PAVING, "OC301234") if names(draft) == ["Ada Rose QUILLFEATHER"]
    ]
    assert [draft.facts["company_number"] for draft in found] == [PAVING, "OC301234"]
    assert len({draft.entity for draft in found}) == 1
    assert found[0].entity


def test_the_register_by_itself_is_a_collection_of_everybody():
    found, context = of(OFFICERS)
    assert [draft.reference for draft in found] == [
        f"{PAVING}/3", f"{PAVING}/5", f"{PAVING}/6", "OC301234/9", "OC301234/10", "09999999/12",
    ]  # fmt: skip
    assert (context.people, context.corporate, context.ceased) == (5, 1, 1)
    assert sum(context.warnings.values()) == 2  # a foreign postcode, a thirteenth month


def lines():
    return OFFICERS.read_text(encoding="utf-8").splitlines()


def changed(tmp_path, change):
    given = lines()
    change(given)
    return write(tmp_path / "officers.dat", "\n".join([*given, ""]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.pop(), "no trailer"),
        (lambda rows: rows.pop(3), "the trailer announces 11 records, but the file has 10"),
        (lambda rows: rows.append(rows[2]), "after the trailer"),
        (lambda rows: rows.__setitem__(-1, "99999999000000x1"), "no number of records"),
        (lambda rows: rows.__setitem__(0, "DDDDSNAP2898"), "not a header"),
        (lambda rows: rows.__setitem__(0, "DDDDSNAP2898202x0101"), "not a header"),
    ],
)
def test_a_file_without_its_header_its_trailer_or_all_of_its_lines_is_refused(tmp_path, change, says):
    with pytest.raises(InputError, match=says) as caught:
        behind(changed(tmp_path, change), PAVING)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line[:60], "cut off"),
        (lambda line: line[:-8], "cut off"),
        (lambda line: line[:10] + "77" + line[12:], "unknown type of appointment"),
        (lambda line: line[:72] + "0x00" + line[76:], "not a number"),
        (lambda line: line[:8] + "3" + line[9:], "neither a company's record nor a person's"),
        (lambda line: line + "x" * 70_000, "too long"),
    ],
)
def test_a_line_that_is_wrong_is_a_fault_by_its_number_and_shows_no_value(tmp_path, change, says):
    path = changed(tmp_path, lambda rows: rows.__setitem__(2, change(rows[2])))
    (fault,) = [fault for draft in behind(path, PAVING) for fault in draft.faults]
    assert (fault.file, fault.row) == ("officers.dat", 3)
    assert says in fault.reason
    assert not re.search("ada|quill|1970", fault.reason, re.IGNORECASE)


def test_a_line_of_a_company_that_nobody_asked_about_must_still_be_whole(tmp_path):
    path = changed(tmp_path, lambda rows: rows.__setitem__(-2, rows[-2][:90]))
    assert [fault.reason for draft in behind(path, PAVING) for fault in draft.faults] == [
        "the line is cut off"
    ]


def test_names_in_the_older_encoding_are_read(tmp_path):
    path = tmp_path / "officers.dat"
    path.write_bytes("\n".join(lines()).replace("Bram", "Zoë").encode("cp1252"))
    assert names(behind(path, PAVING)[-1]) == ["Zoë O'TARROW"]


# ---- PSC: corporate holders


def test_a_corporate_holder_is_a_company_record_and_is_to_be_followed_one_level():
    context = ReadContext()
    ada, parent = behind(PSC, PAVING, context=context)
    assert names(ada) == ["Ada Rose Quillfeather"]
    assert parent.parts[:2] == [
        [{"company_number": "07654321"}],
        [{"company_name": "Parent Holdings Limited"}],
    ]
    assert parent.facts["role"] == "corporate person with significant control"
    assert list(context.follow) == ["07654321"]
    again = ReadContext()
    found = list(read_register(PSC, context.follow, again))
    assert [draft.facts["via_company"] for draft in found] == [PAVING, PAVING]
    assert names(found[0]) == ["Hal Behind"]
    assert again.follow == {}


# ---- periods


@pytest.mark.parametrize(
    ("appointment", "contract", "says"),
    [
        (("2019-04-01", ""), ("2020-01-01", "2022-12-31"), "throughout"),
        (("2019-04-01", ""), ("2020-01-01", ""), "throughout"),
        (("2019-04-01", "2021-01-01"), ("2020-01-01", "2022-12-31"), "part"),
        (("2020-04-01", ""), ("2020-01-01", "2022-12-31"), "part"),
        (("2010-01-01", "2019-12-31"), ("2020-01-01", "2022-12-31"), "before"),
        (("2010-01-01", "2020"), ("2020-06-01", "2022-12-31"), "part"),
        (("2023", ""), ("2020-01-01", "2022-12"), "after"),
        (("2022-12-31", ""), ("2020-01-01", "2022-12"), "part"),
        (("2019-04-01", "2020"), ("", "2020"), "part"),
        (("", "2019"), ("2020-01-01", ""), "unknown"),
        (("2019", ""), ("", ""), "unknown"),
    ],
)
def test_how_an_appointment_lies_to_a_contract(appointment, contract, says):
    assert overlap(Period(*appointment), Period(*contract)) == says


def test_a_draft_says_which_contract_which_company_which_appointment_and_active_when():
    first = behind(OFFICERS, PAVING, contract=Period("2020-01-01", "2022-12-31"))[0]
    said = {
        name: first.provenance[name]
        for name in ("company_number", "role", "appointment", "contract", "active")
    }
    assert said == {
        "company_number": PAVING,
        "role": "director",
        "appointment": "2019-04-01 to now",
        "contract": "2020-01-01 to 2022-12-31",
        "active": "throughout",
    }
    assert first.facts["active"] == "throughout"


# ---- OCDS


@pytest.mark.parametrize(
    "name", ["ocds-release-package.json", "ocds-record-package.json", "ocds-releases.jsonl"]
)
def test_contracts_and_their_suppliers_are_the_same_in_every_packaging(name):
    found, context = of(FORMATS / name)
    assert [(draft.reference, draft.companies) for draft in found] == [
        ("ocds-b5fd17-0001/C1/GB-COH-01234567", (PAVING,)),
        ("ocds-b5fd17-0002/C2/GB-PPON-PXYZ-9876-ABCD", ()),
        ("ocds-b5fd17-0002/C2/GB-COH-OC301234", ("OC301234",)),
    ]
    first, cleaner, _ = found
    # The later release is the one that holds: the contract was extended and became dearer than the award.
    assert first.facts == {
        "contract_reference": "C1",
        "contract_value": "13000",
        "contract_currency": "GBP",
        "contract_start": "2020-01-01",
        "contract_end": "2022-12-31",
        "award_date": "2019-12-20",
        "buyer": "Northvale Council",
    }
    assert first.contract == ("2020-01-01", "2022-12-31")
    assert first.provenance["identifiers"] == "GB-PPON:PABC-1234-DEFG"
    assert values(first, "postcode") == ["NG9 8PY"]
    assert values(first, "email") == ["contracts@paving.example"]
    assert cleaner.provenance["identifiers"] == "GB-PPON:PXYZ-9876-ABCD"
    assert context.warnings == {"cancelled or unsuccessful awards or contracts, which were left out": 1}


def test_a_package_on_one_line_and_packages_one_a_line(tmp_path):
    package = json.loads((FORMATS / "ocds-release-package.json").read_text(encoding="utf-8"))
    halves = [
        {**package, "releases": package["releases"][:2]},
        {**package, "releases": package["releases"][2:]},
    ]
    whole, _ = of(FORMATS / "ocds-release-package.json")
    for number, packages in enumerate(([package], halves)):
        path = write(tmp_path / f"{number}.json", "\n".join(map(json.dumps, packages)))
        found, _ = of(path)
        assert [(d.reference, d.facts) for d in found] == [(d.reference, d.facts) for d in whole]


def test_wrong_releases_are_faults_and_links_to_releases_too(tmp_path):
    path = write(
        tmp_path / "x.json",
        '{"version": "1.1", "releases": [{"id": "1", "parties": []}, 7, {"ocid": "o", "awards": {"id": 1}}]}',
    )
    found, _ = of(path)
    assert [(f.row, f.field, f.reason) for draft in found for f in draft.faults] == [
        (1, "ocid", "is missing"),
        (1, "", "entry 2 of the package is not an object"),
    ]
    path = write(
        tmp_path / "y.json", '{"records": [{"ocid": "o", "releases": [{"url": "https://example.org"}]}]}'
    )
    (draft,), _ = of(path)
    assert "only links to its releases" in draft.faults[0].reason


@pytest.mark.parametrize("cut", [400, 2_000, -3])
def test_a_package_that_breaks_off_is_refused(tmp_path, cut):
    data = (FORMATS / "ocds-release-package.json").read_bytes()[:cut]
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"cut off|not an array, a package") as caught:
        list(read_file(Format.OCDS, path, ReadContext()))
    assert caught.value.hint


def test_a_package_larger_than_memory_would_like_is_streamed(tmp_path):
    package = json.loads((FORMATS / "ocds-release-package.json").read_text(encoding="utf-8"))
    one = json.dumps({**package["releases"][1], "tag": ["compiled"], "tender": {"title": "x" * 50_000}})
    path = tmp_path / "big.json"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"releases": [\n')
        file.write(",\n".join([one] * 400))
        file.write("]}")
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_items(path, ("releases",)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 400
    assert path.stat().st_size > 20_000_000
    assert peak < 4 << 20


def test_one_object_without_an_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("blindmatch.node.imports.formats.json_stream.ITEM_BYTES", 100_000)
    path = write(tmp_path / "x.json", '{"releases": [\n{"ocid": "o", "x": "' + "y" * 400_000 + '"}]}')
    with pytest.raises(InputError, match="larger than"):
        list(read_file(Format.OCDS, path, ReadContext()))


# ---- BODS


@pytest.mark.parametrize("name", ["bods.json", "bods.jsonl"])
def test_people_of_statements_know_their_company_and_interests(name):
    found, context = of(FORMATS / name)
    by = {draft.reference: draft for draft in found}
    assert list(by) == ["rec-paving", "rec-ada", "rec-dov"]
    assert by["rec-paving"].companies == (PAVING,)
    ada = by["rec-ada"]
    assert names(ada)[0] == "Ada Rose Quillfeather"
    assert len(names(ada)) == 2
    assert values(ada, "date_of_birth") == ["1970-02"]
    assert ada.facts == {
        "company_number": PAVING,
        "role": "shareholding; boardMember",
        "appointed_on": "2018-01-01",
    }
    # The statement that was made later holds.
    assert values(by["rec-dov"], "date_of_birth") == ["1965-03"]
    assert context.ceased == 1


def test_interests_that_have_ended_come_when_asked_for():
    found, _ = of(FORMATS / "bods.json", include_ceased=True)
    (esme,) = [draft for draft in found if draft.reference == "rec-esme"]
    assert (esme.facts["resigned_on"], esme.facts["appointed_on"]) == ("2018-06-30", "2010-01-15")


def test_a_statement_that_closes_a_record_takes_it_out(tmp_path):
    statements = json.loads((FORMATS / "bods.json").read_text(encoding="utf-8"))
    closing = [
        {**item, "recordStatus": "closed"}
        for item in statements
        if item["recordId"] in {"rec-dov", "rec-rel-1"}
    ]
    found, _ = of(write(tmp_path / "x.json", json.dumps(statements + closing[:1] + closing[-1:])))
    by = {draft.reference: draft for draft in found}
    assert "rec-dov" not in by
    assert "company_number" not in by["rec-ada"].facts


def test_statements_that_are_none_are_faults(tmp_path):
    path = write(
        tmp_path / "x.json",
        '[{"statementId": "a", "recordType": "person"}, {"statementType": "personStatement"}, 3,'
        ' {"recordId": "r", "recordType": "person", "recordDetails": {"names": "x", "birthDate": 7}}]',
    )
    found, _ = of(path)
    assert [(draft.row, bool(draft.faults)) for draft in found] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
    ]


@pytest.mark.skipif(find_spec("bods_fixtures") is None, reason="bods-v04-fixtures is not installed")
def test_the_canonical_fixtures_of_bods(tmp_path):
    import bods_fixtures  # noqa: PLC0415 - optional

    cases = bods_fixtures.list_cases()
    assert cases
    for case in cases:
        statements = bods_fixtures.load(case).statements
        path = write(tmp_path / "case.json", json.dumps(statements))
        found, _ = of(path)
        assert not any(draft.faults for draft in found), case
        wanted = [
            item["recordId"]
            for item in statements
            if item["recordType"] in {"person", "entity"}
            and item["recordDetails"].get("personType") not in {"anonymousPerson", "unknownPerson"}
        ]
        assert [draft.provenance["record"] for draft in found] == wanted, case
    path = write(
        tmp_path / "case.json", json.dumps(bods_fixtures.load("core/01-direct-ownership").statements)
    )
    company, person = of(path)[0]
    assert company.companies == ("10000001",)
    assert person.facts == {
        "company_number": "10000001",
        "role": "shareholding; votingRights",
        "appointed_on": "2010-01-01",
    }


# ---- FollowTheMoney


def test_people_and_companies_of_entities_know_their_contracts():
    found, context = of(FORMATS / "ftm.jsonl")
    by = {draft.reference: draft for draft in found}
    assert list(by) == ["p1/1", "p1/2", "p1/3", "c1/1", "c1/2", "c2"]
    first = by["p1/1"]
    assert first.facts == {
        "company_number": PAVING,
        "role": "Director",
        "appointed_on": "2019-04-01",
        "active": "throughout",
        "contract_reference": "C10",
        "contract_value": "12000",
        "contract_currency": "GBP",
        "contract_start": "2020-01-01",
        "contract_end": "2022-12-31",
    }
    assert by["p1/2"].facts["active"] == "after"
    assert by["p1/3"].facts == {"role": "owner", "appointed_on": "2021"}
    assert names(first) == ["Ada Rose Quillfeather", "Tansy Quillfeather"]
    assert by["c1/2"].contract == ("2008-05-01", "2009-05-01")
    assert by["c1/1"].entity == by["c1/2"].entity
    # A German register's number looks like none of ours, and is none.
    assert by["c2"].companies == ()
    assert context.ceased == 1


def test_directorships_that_have_ended_come_when_asked_for():
    found, _ = of(FORMATS / "ftm.jsonl", include_ceased=True)
    assert {draft.facts.get("resigned_on") for draft in found if draft.reference.startswith("p2")} == {
        "2018-06-30"
    }


def test_lines_that_are_no_entities_are_faults(tmp_path):
    good = (FORMATS / "ftm.jsonl").read_text(encoding="utf-8").splitlines()
    path = write(tmp_path / "x.jsonl", "\n".join([good[1], good[2][:40], '{"schema": "Person"}', "[]", ""]))
    found, _ = of(path)
    assert [(draft.row, bool(draft.faults)) for draft in found] == [
        (1, False),
        (2, True),
        (3, True),
        (4, True),
    ]


def test_no_draft_shows_a_value_in_its_repr():
    for path in sorted(FORMATS.iterdir()):
        if path.suffix != ".csv":
            text = repr(of(path)[0])
            assert not re.search(r"ada|quill|1970|NG9|01234567", text, re.IGNORECASE)
