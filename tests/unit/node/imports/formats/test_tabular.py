import datetime as dt
import json
import re

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.paths import FIXTURES

from blindmatch.node.imports.formats import (
    ColumnMapping,
    Drafter,
    ReadContext,
    SourceRecord,
    column_mapping,
    load_mapping,
    open_table,
    propose,
    read_register,
)
from blindmatch.node.imports.formats.column_mapping import fact_name, recognise
from blindmatch.node.imports.formats.record_drafts import fields_present, names_part
from blindmatch.protocol.agreement.field_types import FactName
from blindmatch.protocol.errors import InputError

PEOPLE = FIXTURES / "people.csv"
REGISTER = FIXTURES / "register.jsonl"


def drafts(path, used=None, kind="subjects", **options):
    with open_table(path, **options) as table:
        drafter = Drafter(table, used or recognise(table.header, kind))
        return [drafter.draft(row) for row in table]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def values(draft, name):
    return [item[name] for part in draft.parts for item in part if name in item]


def test_people_become_drafts_with_every_alternative():
    ada, bram, celestine, dov = drafts(PEOPLE)
    assert not any(draft.faults for draft in (ada, bram, celestine, dov))
    assert ada.reference == "N-001"
    assert ada.parts[0] == [
        {"forenames": "Ada Rose", "surname": "Quillfeather"},
        {"forenames": "ada", "surname": "wrenlow"},
        {"forenames": "Tansy", "surname": "Quillfeather"},
    ]
    assert values(ada, "phone") == ["07700 900001"]
    assert values(ada, "date_of_birth") == ["1970-02-03"]
    assert values(ada, "postcode") == ["NG9 8PY", "S1 1AA"]
    assert values(ada, "company_number") == ["01234567", "SC012345"]
    assert ada.provenance == {"row": "2", "group": "OCG-7", "grading": "2B"}
    assert (ada.handling, bram.handling, celestine.handling) == ("P", "C", "C")
    assert values(celestine, "surname") == ["Van der Moor"]
    assert values(dov, "date_of_birth") == ["1965"]


def test_a_repr_of_a_draft_shows_no_value():
    text = repr(drafts(PEOPLE)[0])
    assert not re.search(r"ada|quill|1970|NG9|N-001|1234567|OCG", text, re.IGNORECASE)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_line_ends_and_byte_order_marks(tmp_path, delimiter, end):
    rows = [
        ["reference", "surname, in full", "dob"],
        ["1", 'O"Tarrow', "1970-01-01"],
        ["2", "Two" + end + "lines", ""],
    ]
    text = end.join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    path = tmp_path / "table"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + end.encode())
    with open_table(path) as table:
        assert table.header == ("reference", "surname, in full", "dob")
        read = list(table)
    assert [row.cells for row in read] == rows[1:]
    assert [row.number for row in read] == [2, 3]


def test_line_ends_that_fall_between_two_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("blindmatch.node.imports.formats.lines._BLOCK_BYTES", 7)
    path = tmp_path / "table.csv"
    lines = ["reference,dob", *(f"{number},1970-01-{number:02d}" for number in range(1, 29))]
    for end in ("\r\n", "\r", "\n"):
        path.write_bytes(end.join(lines).encode())
        with open_table(path) as table:
            assert [",".join(row.cells) for row in table] == lines[1:]


def test_the_same_table_in_another_encoding_or_format(tmp_path):
    wanted = [(draft.reference, draft.parts, draft.handling) for draft in drafts(PEOPLE)]
    legacy = tmp_path / "legacy.csv"
    legacy.write_bytes(PEOPLE.read_text(encoding="utf-8").encode("cp1252"))
    assert [(d.reference, d.parts, d.handling) for d in drafts(legacy, encoding="cp1252")] == wanted
    with open_table(PEOPLE) as table:
        header, rows = table.header, [row.cells for row in table]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    columns["postcodes"] = [cell.split(";") for cell in columns["postcodes"]]
    columns["date_of_birth"] = pa.array(columns["date_of_birth"])
    parquet.write_table(pa.table(columns), tmp_path / "people.parquet")
    assert [(d.reference, d.parts, d.handling) for d in drafts(tmp_path / "people.parquet")] == wanted


def test_parquet_types_become_text(tmp_path):
    table = pa.table(
        {
            "id": pa.array([1, 2]),
            "dob": pa.array([dt.date(1970, 2, 3), None]),
            "company_number": pa.array([1234567.0, float("nan")]),
            "aliases": pa.array([["A B", "C D"], None]),
        }
    )
    parquet.write_table(table, tmp_path / "t")
    first, second = drafts(tmp_path / "t")
    assert (first.reference, values(first, "date_of_birth"), values(first, "company_number")) == (
        "1",
        ["1970-02-03"],
        ["01234567"],
    )
    assert values(first, "surname") == ["b", "d"]
    assert (second.reference, second.parts, second.faults) == ("2", [], [])


def test_faults_name_row_field_and_reason_but_never_the_value(tmp_path):
    path = write(
        tmp_path / "bad.csv",
        "reference,surname,dob,postcode,company_number,grading,handling_code\n"
        "A,Secretname,31/02/1970,QQ,123456789,9Z,X\n"
        "A,Secretname,1970-01-01,,,,P\n"
        ",Secretname,1970-01-01,,,,P\n"
        "B,Secretname\n"
        "C,Secretname,1970-01-01,NG9 8PY;nonsense,,1BC,\n",
    )
    first, twice, unnamed, short, last = drafts(path)
    assert [(f.file, f.row, f.field) for f in first.faults] == [
        ("bad.csv", 2, field)
        for field in ("grading", "handling_code", "date_of_birth", "postcode", "company_number")
    ]
    assert first.handling == "C"
    assert not first.unusable
    assert [f.reason for f in twice.faults] == ["is already used by an earlier row"]
    assert [f.reason for f in unnamed.faults] == ["is missing"]
    assert [f.reason for f in short.faults] == ["has 2 cells where the header has 7"]
    assert twice.unusable
    assert unnamed.unusable
    assert short.unusable
    assert values(last, "postcode") == ["NG9 8PY"]
    assert (last.handling, last.provenance["grading"]) == ("C", "1B")
    reasons = " ".join(f.reason for draft in (first, twice, unnamed, short, last) for f in draft.faults)
    assert not re.search(r"Secretname|31/02|QQ|123456789|9Z|nonsense", reasons)


def test_extra_empty_cells_and_blank_lines_are_no_fault(tmp_path):
    path = write(tmp_path / "t.csv", "reference,dob\n\n1,1970-01-01,,\n\n2,1970-01-01\n")
    assert [(draft.row, draft.faults) for draft in drafts(path)] == [(3, []), (5, [])]


def test_a_whole_name_serves_where_parts_are_missing(tmp_path):
    path = write(
        tmp_path / "t.csv",
        'reference,forenames,surname,name\n1,,,"QUILL, Ada Rose"\n2,Ada,,Ada Quill\n3,Ada,Quill,Someone Else\n4,ada,,ada\n',
    )
    names = [(values(d, "forenames"), values(d, "surname")) for d in drafts(path)]
    assert names == [
        (["ada rose"], ["quill"]),
        (["ada"], ["quill"]),
        (["Ada"], ["Quill"]),
        (["ada"], [""]),
    ]


def test_names_part_drops_repeats_and_what_says_nothing():
    assert names_part(("", ""), ["", "Mr", "Solo"]) == []
    assert names_part(("ada", "quill"), ["Ada Quill", "QUILL, Ada"]) == [
        {"forenames": "ada", "surname": "quill"}
    ]


def test_said_are_the_fields_with_a_value():
    assert fields_present([[{"company_number": "1"}]]) == {"company_number"}
    assert fields_present([[{"surname": "x"}], [{"date_of_birth": ""}, {"date_of_birth": "1970"}]]) == {
        "surname",
        "date_of_birth",
    }
    assert fields_present([[{"surname": "x"}], [{"date_of_birth": ""}]]) == {"surname"}


def test_the_usual_headings_are_recognised():
    header = ("Supplier ID", "Name", "Company Reg. No.", "Post Code", "Contract value")
    used = recognise(header, "suppliers", ["Contract value"])
    assert used.columns == {
        "reference": ("Supplier ID",),
        "company_name": ("Name",),
        "company_number": ("Company Reg. No.",),
        "postcode": ("Post Code",),
        "contract_value": ("Contract value",),
    }
    assert used.facts == ("Contract value",)
    assert used.unused == ()
    assert recognise(header, "bidders").columns["full_name"] == ("Name",)


def test_a_proposed_mapping_can_be_loaded_as_it_is(tmp_path):
    header = ("Vendor No.", 'Name "A"', "Forename(s)", "Surname", "DOB", "Post Code", "Home postcode")
    text = propose(header, "subjects")
    used = load_mapping(write(tmp_path / "m.toml", text))
    assert used.columns == recognise(header, "subjects").columns
    assert used.columns["postcode"] == ("Post Code", "Home postcode")
    assert '"Name \\"A\\""' in text
    (tmp_path / "m2.toml").write_text(propose(("colour",), "subjects"))
    with pytest.raises(InputError, match="reference"):
        load_mapping(tmp_path / "m2.toml")


def test_a_mapping_file_rules(tmp_path):
    path = write(
        tmp_path / "people.csv",
        "Nominal,First,Last,Born,Addresses,Note\nN1,Ada,Quill,02/03/1970,NG9 8PY | S1 1AA,vip\n",
    )
    used = load_mapping(
        write(
            tmp_path / "m.toml",
            """
            [columns]
            reference = "nominal"
            forenames = "First"
            surname = "Last"
            date_of_birth = "Born"
            postcode = ["Addresses"]
            facts = ["Note"]
            [options]
            separator = "|"
            day_first = false
            handling_code = "C"
            """,
        ),
        ["Note", "Born"],
    )
    (draft,) = drafts(path, used)
    assert values(draft, "date_of_birth") == ["1970-02-03"]
    assert values(draft, "postcode") == ["NG9 8PY", "S1 1AA"]
    assert draft.facts == {"note": "vip", "born": "02/03/1970"}
    assert draft.handling == "C"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns]\nreference = 'a'\nsurname = 'b'\ncolour = 'c'", "unknown fields: colour"),
        ("[columns]\nsurname = 'b'", "reference"),
        ("[columns]\nreference = 'a'", "a field to match on"),
        ("[columns]\nreference = ['a', 'b']\nsurname = 'c'", "several columns for reference"),
        ("[columns]\nreference = 3", "neither a column's name"),
        ("[columns]\nreference = ''", "neither a column's name"),
        ("[columns]\nreference='a'\nsurname='b'\n[options]\nday_first = 'yes'", "option day_first"),
        ("[columns]\nreference='a'\nsurname='b'\n[options]\ncolour = 'red'", "option colour"),
        ("[columns]\nreference='a'\nsurname='b'\n[options]\nseparator = ' '", "separator"),
        ("[columns]\nreference='a'\nsurname='b'\n[options]\nhandling_code = 'X'", "handling code"),
        ("reference = 'a'", "tables"),
        ("[columns", "not a TOML file"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path, text, says):
    with pytest.raises(InputError, match=re.escape(says)):
        load_mapping(write(tmp_path / "m.toml", text))


def test_a_mapping_that_is_not_there_or_names_no_column_of_the_file(tmp_path):
    with pytest.raises(InputError):
        load_mapping(tmp_path / "none.toml")
    with pytest.raises(InputError, match="no column 'Nachname'") as caught:
        drafts(PEOPLE, ColumnMapping({"reference": ("reference",), "surname": ("Nachname",)}))
    assert "forenames" in caught.value.hint


def test_two_headings_that_give_one_fact_name_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", "reference,dob,Contract (value),Contract: value\n1,1970-01-01,1,2\n")
    with open_table(path) as table, pytest.raises(InputError, match="both have the fact name contract_value"):
        Drafter(table, recognise(table.header, "subjects", ["Contract (value)", "Contract: value"]))


def test_addresses_towns_and_postcodes_go_together_and_contacts_stand_alone(tmp_path):
    path = write(
        tmp_path / "t.csv",
        "reference,house number,street,town,postcode,telephone,e-mail,VRM,bank details,VAT no\n"
        "1,12,Wren Lane,Nottingham;Leeds,NG9 8PY;LS1 4DY,0115 496 0000;07700 900001,a@example.org,AB12 CDE,"
        "12-34-56 12345678,GB 999 9999 73\n",
    )
    (draft,) = drafts(path)
    assert draft.parts == [
        [
            {"address": "12 Wren Lane", "town": "Nottingham", "postcode": "NG9 8PY"},
            {"town": "Leeds", "postcode": "LS1 4DY"},
        ],
        [{"vat_number": "GB 999 9999 73"}],
        [{"phone": "0115 496 0000"}, {"phone": "07700 900001"}],
        [{"email": "a@example.org"}],
        [{"bank_account": "12-34-56 12345678"}],
        [{"vehicle": "AB12 CDE"}],
    ]


def test_a_row_says_its_contract_as_provenance_and_as_facts(tmp_path):
    path = write(
        tmp_path / "t.csv",
        "reference,company number,Contract Ref.,contract start,contract end,Contract Value (GBP)\n"
        "1,1234567,C-1,01/04/2020,31/03/2023,12000\n2,1234568,C-2,soon,,\n",
    )
    first, second = drafts(path, kind="suppliers")
    assert first.contract == ("2020-04-01", "2023-03-31")
    assert first.facts["contract_reference"] == "C-1"
    assert first.facts["contract_value"] == "12000"
    assert first.provenance["contract_end"] == "31/03/2023"
    assert [(fault.row, fault.field) for fault in second.faults] == [(3, "contract_start")]


def test_a_value_that_the_schema_cannot_use_is_a_fault(tmp_path):
    path = write(tmp_path / "t.csv", "reference,dob,phone\n1,1970-01-01,12;07700 900001\n")

    def check(name, text):
        return "too short" if name == "phone" and len(text) < 5 else ""

    with open_table(path) as table:
        drafter = Drafter(table, recognise(table.header, "subjects"), check)
        (draft,) = map(drafter.draft, table)
    assert [(fault.field, fault.reason) for fault in draft.faults] == [("phone", "too short")]
    assert values(draft, "phone") == ["07700 900001"]


def test_mapping_module_knows_every_field_it_recognises():
    assert set(column_mapping._FIELD_OF.values()) <= set(column_mapping.SINGLE) | set(column_mapping.SEVERAL)


def people_of(path, wanted, **options):
    context = ReadContext(**options)
    return list(read_register(path, wanted, context)), context


def test_the_register_gives_a_person_per_holder():
    wanted = {
        "01234567": [SourceRecord("V1", "P", {"contract": "C10"}, 2), SourceRecord("V3", "C", {}, 4)],
        "OC301234": [SourceRecord("V4", "P", {}, 5)],
    }
    found, context = people_of(REGISTER, wanted)
    assert [(draft.reference, draft.handling, draft.facts["role"]) for draft in found] == [
        ("V1", "P", "person with significant control"),
        ("V3", "C", "person with significant control"),
        ("V1", "P", "corporate person with significant control"),
        ("V3", "C", "corporate person with significant control"),
        ("V4", "P", "person with significant control"),
    ]
    assert not any(draft.faults for draft in found)
    first, _, parent, _, silent = found
    assert parent.parts == [[{"company_name": "Parent Ltd"}]]
    assert first.parts == [
        [{"forenames": "Ada", "surname": "Quillfeather"}],
        [{"date_of_birth": "1970-02"}],
        [{"postcode": "NG9 8PY"}],
    ]
    assert first.provenance["natures_of_control"] == (
        "ownership-of-shares-25-to-50-percent; voting-rights-25-to-50-percent"
    )
    assert first.provenance["row"] == "2"
    assert first.facts == {
        "company_number": "01234567",
        "role": "person with significant control",
        "appointed_on": "2019-04-01",
        "notified_on": "2019-04-01",
        "contract": "C10",
    }
    assert silent.parts == [[{"forenames": "Gwen", "surname": "Silent"}]]
    assert (context.lines, context.people, context.ceased, context.companies) == (
        6,
        2,
        1,
        {"01234567", "OC301234"},
    )
    assert len(context.warnings) == 2


def test_ceased_people_come_when_asked_for():
    wanted = {"01234567": [SourceRecord("V1", "P", {}, 2)]}
    found, context = people_of(REGISTER, wanted, include_ceased=True)
    assert [draft.facts.get("ceased_on") for draft in found] == [None, "2022-01-31", None]
    assert found[1].facts["resigned_on"] == "2022-01-31"
    assert context.ceased == 0


def test_register_lines_that_break_off_are_faults_by_line(tmp_path):
    good = REGISTER.read_text(encoding="utf-8").splitlines()
    broken = [
        good[0],
        good[3][:60],
        good[0][:90],
        "[]",
        '{"company_number": "01234567", "data": 3}',
        "",
        good[1],
    ]
    wanted = {"01234567": [SourceRecord("V1", "P", {}, 2)]}
    found, _ = people_of(write(tmp_path / "r.jsonl", "\n".join(broken)), wanted)
    assert [(d.faults[0].row, d.faults[0].reason) if d.faults else d.reference for d in found] == [
        "V1",
        (2, "the line is cut off"),
        (3, "the line is cut off, or is not JSON"),
        (4, "the line is not an entry of the register"),
        (5, "the line is not an entry of the register"),
    ]


def test_odd_values_in_an_entry_do_no_harm(tmp_path):
    entry = json.loads(REGISTER.read_text(encoding="utf-8").splitlines()[0])
    entry["data"] |= {
        "name_elements": None,
        "natures_of_control": 7,
        "links": [],
        "address": "x",
        "date_of_birth": {"year": 1e400, "month": "x"},
        "notified_on": None,
    }
    wanted = {"01234567": [SourceRecord("V1", "P", {}, 2)]}
    (draft,), context = people_of(write(tmp_path / "r.jsonl", json.dumps(entry)), wanted)
    assert draft.parts == [[{"forenames": "ada", "surname": "quillfeather"}]]
    assert len(context.warnings) == 1
    entry["data"]["date_of_birth"] = {"year": 1970, "month": None, "day": 4}
    (draft,), _ = people_of(write(tmp_path / "r.jsonl", json.dumps(entry)), wanted)
    assert values(draft, "date_of_birth") == ["1970"]


def test_progress_ends_at_the_whole_file(tmp_path):
    calls = []
    drafts(PEOPLE, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (PEOPLE.stat().st_size,) * 2
    parquet.write_table(pa.table({"id": ["1", "2"], "dob": ["1970", "1971"]}), tmp_path / "t")
    drafts(tmp_path / "t", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (2, 2)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("contract_value", "contract_value"),
        ("contract-value", "contract-value"),
        ("Contract Value (GBP)", "contract_value_gbp"),
        ("  Vendor No. ", "vendor_no"),
        ("Höhe__(netto) -", "hohe_netto"),
        ("2024 spend", "fact_2024_spend"),
        ("x" * 62 + " y", "x" * 62),
    ],
)
def test_any_heading_has_a_name_that_an_agreement_may_use(heading, name):
    assert fact_name(heading) == name
    FactName().check("facts", name)


@pytest.mark.parametrize(("one", "other"), [("Value (GBP)", "value_gbp"), ("Value!", "VALUE")])
def test_two_fact_columns_never_share_a_name(tmp_path, one, other):
    path = write(tmp_path / "p.csv", f"reference,surname,{one},{other}\nA,Lee,1,2\n")
    with open_table(path) as table, pytest.raises(InputError, match="would both have the fact name"):
        Drafter(table, recognise(table.header, "subjects", [one, other]))


def test_a_heading_without_letters_is_no_fact(tmp_path):
    path = write(tmp_path / "p.csv", "reference,surname,???\nA,Lee,1\n")
    with open_table(path) as table, pytest.raises(InputError, match="no letter or digit"):
        Drafter(table, recognise(table.header, "subjects", ["???"]))


def test_a_place_of_birth_is_the_town_only_where_there_is_no_other():
    assert recognise(["reference", "name", "Place of Birth"], "subjects").columns["town"] == (
        "Place of Birth",
    )
    both = recognise(["reference", "name", "birth_place", "town"], "subjects")
    assert both.columns["town"] == ("town",)
    assert both.unused == ("birth_place",)


def test_a_house_number_in_its_own_column_belongs_to_the_line_beside_it():
    found = recognise(["reference", "surname", "street_number", "address_1", "suburb"], "subjects").columns
    assert (found["house_number"], found["street"], found["town"]) == (
        ("street_number",),
        ("address_1",),
        ("suburb",),
    )
    assert "address" not in found
    alone = recognise(["reference", "surname", "house_number", "street", "address"], "subjects").columns
    assert (alone["street"], alone["address"]) == (("street",), ("address",))
