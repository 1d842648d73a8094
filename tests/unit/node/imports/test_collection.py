import csv
import os
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.exact_keys import exact_keys
from tests.support.paths import FIXTURES
from tests.support.token_lists import tokens as make_tokens

from blindmatch.node import imports
from blindmatch.node.imports import (
    ImportRefusedError,
    OnBad,
    delete_collection,
    import_collection,
    open_collection,
)
from blindmatch.node.imports.blocks import BlockReader
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import InputError, KeysError, StoreError
from blindmatch.protocol.linkage import DUMMY, level_digests, load_schema

PEOPLE, SUPPLIERS, REGISTER = (FIXTURES / name for name in ("people.csv", "suppliers.csv", "register.jsonl"))
KEYS = exact_keys()
SCHEMA = KEYS.schema


@pytest.fixture
def node(tmp_path):
    settings = Settings(agency="west-force", name="West Force", role="police")
    with Node.create(tmp_path / "node", settings, "correct horse", scrypt_n=2**10, user="ann") as made:
        yield made


def folders(node):
    return sorted(path.name for path in node.collections_dir.iterdir() if path.is_dir())


def events(node):
    return [(row.event, row.subject) for row in node.store.audit_rows()][1:]


def table(tmp_path, rows, header="reference,forenames,surname,dob,postcode"):
    path = tmp_path / "table.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def many(tmp_path, count):
    return table(
        tmp_path, [f"R{i},Ada,Quill{i % 97},1970-01-{1 + i % 28:02d},NG{1 + i % 9} 8PY" for i in range(count)]
    )


def test_people_are_kept_by_reference_and_digest(node):
    report = import_collection(node, "people", "subjects", PEOPLE, facts=["group_reference"])
    assert (report.rows_read, report.good_rows, report.records, report.bad_row_count) == (4, 4, 4, 0)
    assert "group_reference" not in report.unused
    assert report.unused == ()
    assert report.facts == {"group_reference": "group_reference"}
    assert report.warnings[-1] == "rows without a handling code were taken as C (with conditions): 1"
    people = open_collection(node, "people")
    assert (people.records, people.kind, people.marking, len(people)) == (4, "subjects", "OFFICIAL", 4)
    assert people.rows == report.rows_stored == 6 + 1 + 1 + 1
    assert people.record(0) == imports.RecordInfo(
        "N-001", "P", {"group_reference": "OCG-7"}, {"row": "2", "group": "OCG-7", "grading": "2B"}
    )
    assert people.find("N-003") == [2]
    assert people.find("N-999") == []
    for wrong in (-1, 4):
        with pytest.raises(IndexError):
            people.record(wrong)
    assert events(node) == [("collection", "collection people")]


def test_no_name_date_or_postcode_is_in_any_file_and_no_reference_in_the_clear(node):
    import_collection(node, "people", "subjects", PEOPLE)
    people = open_collection(node, "people")
    node.store.close()
    content = b"".join(path.read_bytes() for path in node.home.rglob("*") if path.is_file()).lower()
    for text in (
        b"quillfeather",
        b"wrenlow",
        b"1970-02",
        b"ng9",
        b"n-001",
        b"01234567",
        b"ocg-7",
        b"people.csv",
    ):
        assert text not in content
    opened = str([people._reader.details(i) for i in range(len(people._reader))]).lower()
    for text in ("quillfeather", "wrenlow", "1970-02", "ng9", "01234567"):
        assert text not in opened


def test_handling_codes_select_records(node):
    import_collection(node, "people", "subjects", PEOPLE)
    people = open_collection(node, "people")
    assert people.select({"P"}).tolist() == [0, 3]
    assert people.select(("C",)).tolist() == [1, 2]
    assert people.select(["P", "C"]).tolist() == [0, 1, 2, 3]
    assert people.select([]).tolist() == []


def test_tokens_of_a_collection_are_those_of_its_values(node):
    import_collection(node, "people", "subjects", PEOPLE)
    people = open_collection(node, "people")
    made = people.tokens(KEYS, people.select("C"), 4, random.Random(1).randbytes, distinct=False)
    rows = [
        {"forenames": "Bram", "surname": "O'Tarrow", "date_of_birth": "1981-11-30"},
        {
            "forenames": "Célestine",
            "surname": "Van der Moor",
            "date_of_birth": "1990-05",
            "postcode": "LS1 4DY",
        },
    ]
    wanted = make_tokens(
        KEYS, level_digests(SCHEMA, rows), np.arange(2), 2, 4, random.Random(1).randbytes, distinct=False
    )
    assert np.array_equal(made.tokens, wanted.tokens)
    assert np.array_equal(made.key_index, wanted.key_index)


def test_blocks_of_a_large_collection_join_up(node, tmp_path, monkeypatch):
    for module in ("blocks", "writer", "collection"):
        monkeypatch.setattr(f"blindmatch.node.imports.{module}.BLOCK_RECORDS", 7)
    import_collection(node, "many", "subjects", many(tmp_path, 50))
    found = open_collection(node, "many")
    assert [block.records for block in found.blocks()] == [7] * 7 + [1]
    whole = found.columns(0, 50)
    assert whole.records == 50
    assert whole.row_record.tolist() == list(range(50))
    chosen = np.array([0, 6, 7, 30, 49])
    parts = list(found.blocks(chosen))
    assert [part.records for part in parts] == [2, 1, 1, 1]
    assert np.array_equal(np.concatenate([part.columns for part in parts]), whole.columns[chosen])
    assert np.array_equal(found.columns(5, 9).columns, whole.columns[5:9])
    assert found.columns(9, 9).records == 0
    assert [found.record(i).reference for i in (0, 6, 7, 49)] == ["R0", "R6", "R7", "R49"]
    assert found.tokens(KEYS, chosen, 3, os.urandom, distinct=True).records == 5


def test_suppliers_expand_into_the_people_of_their_companies(node):
    report = import_collection(
        node, "suppliers", "suppliers", SUPPLIERS, facts=["contract_reference"], register=REGISTER
    )
    # V2 has a name and a postcode only; V4's person neither a date nor a postcode that can be used.
    assert (report.rows_read, report.records) == (4, 7)
    assert report.register == {
        "lines": 6,
        "companies": 2,
        "people": 2,
        "ceased": 1,
        "corporate": 1,
        "people_behind_corporate": 0,
    }
    found = open_collection(node, "suppliers")
    records = [found.record(i) for i in range(found.records)]
    assert [(r.reference, r.facts.get("role", "")) for r in records] == [
        ("V1", "company"),
        ("V2", ""),
        ("V3", "company"),
        ("V4", "company"),
        ("V1", "person with significant control"),
        ("V3", "person with significant control"),
        ("V4", "person with significant control"),
    ]
    contracts = ["C10", "C11", "C12", "C13", "C10", "C12", "C13"]
    assert [r.facts["contract_reference"] for r in records] == contracts
    assert records[4].facts["company_number"] == "01234567"
    assert records[4].provenance["notified_on"] == "2019-04-01"
    assert records[4].provenance["row"] == "2"
    assert found.find("V1") == [0, 4]
    # The register's corporate owner has no number and no address.
    assert any("left out: 2" in warning for warning in report.warnings)
    assert "suppliers without a company number: 1" in report.warnings


def test_police_and_council_share_the_tokens_they_should(node):
    import_collection(node, "people", "subjects", PEOPLE)
    import_collection(node, "suppliers", "suppliers", SUPPLIERS, register=REGISTER)
    ours, theirs = open_collection(node, "people"), open_collection(node, "suppliers")
    left = ours.tokens(KEYS, ours.select("PC"), 16, os.urandom, distinct=False)
    right = theirs.tokens(KEYS, theirs.select("PC"), 4, os.urandom, distinct=True)
    place = {token.tobytes(): i for i, token in enumerate(right.tokens)}
    shared = {
        (KEYS.keys[left.key_index[i]].name, tuple(right.records_of(place[token.tobytes()]).tolist()))
        for i, token in enumerate(left.tokens)
        if left.key_index[i] != DUMMY and token.tobytes() in place
    }
    assert shared == {("company", (0, 2)), ("name+month", (4, 5)), ("name+month+district", (4, 5))}


@pytest.fixture
def faulty(tmp_path):
    return table(
        tmp_path,
        [
            "A,Ada,Quill,1970-01-01,NG9 8PY",
            "B,Bo,Quill,1970-01-01,QQ",
            "C,Cy,Quill,31/02/1970,S1 1AA",
            "A,Di,Quill,1971-01-01,",
        ],
    )


def test_a_bad_row_refuses_everything_and_the_report_has_every_one(node, faulty):
    with pytest.raises(ImportRefusedError, match="3 bad rows and 1 good rows") as caught:
        import_collection(node, "people", "subjects", faulty)
    report = caught.value.report
    assert [(f.row, f.field) for f in report.bad_rows] == [
        (3, "postcode"),
        (4, "date_of_birth"),
        (5, "reference"),
    ]
    assert (report.collection, report.good_rows, report.rows_read) == ("", 1, 4)
    assert node.store.collections() == []
    assert folders(node) == []
    assert events(node) == []


def test_bad_rows_can_be_skipped(node, faulty):
    report = import_collection(node, "people", "subjects", faulty, on_bad=OnBad.SKIP_ROW)
    assert (report.records, report.bad_row_count) == (1, 3)
    assert open_collection(node, "people").record(0).reference == "A"


def test_bad_fields_can_be_left_out_of_rows_that_stay(node, faulty):
    report = import_collection(node, "people", "subjects", faulty, on_bad=OnBad.BLANK_FIELD)
    # Of C's 31 February year and month stay; the second A is no record at all.
    assert (report.records, report.good_rows, report.bad_row_count) == (3, 1, 3)
    assert [(fault.row, fault.field, fault.kept) for fault in report.bad_rows] == [
        (3, "postcode", ""),
        (4, "date_of_birth", "year and month"),
        (5, "reference", ""),
    ]
    found = open_collection(node, "people")
    assert [found.record(i).reference for i in range(3)] == ["A", "B", "C"]
    expected = level_digests(
        SCHEMA, [{"forenames": "Cy", "surname": "Quill", "date_of_birth": "1970-02", "postcode": "S1 1AA"}]
    )
    assert (found.columns(2, 3).columns == expected).all()


def test_a_foreign_postcode_stays_where_the_schema_compares_such_codes(node, tmp_path):
    foreign = table(tmp_path, ["A,Ada,Quill,1970-13-01,75008 Paris", "B,Bo,Quill,1970-01-01,D-10115"])
    schema = "uk-person-company-2"
    with pytest.raises(ImportRefusedError) as caught:
        import_collection(node, "people", "subjects", foreign, schema=schema)
    assert not any(fault.kept for fault in caught.value.report.bad_rows)
    report = import_collection(node, "people", "subjects", foreign, schema=schema, on_bad=OnBad.BLANK_FIELD)
    assert [(fault.row, fault.field, fault.kept) for fault in report.bad_rows] == [
        (2, "date_of_birth", "day and month exchanged"),
        (2, "postcode", ""),
        (3, "postcode", "as it is written"),
    ]
    kept = open_collection(node, "people").columns(1, 2).columns
    expected = level_digests(
        load_schema(schema),
        [{"forenames": "Bo", "surname": "Quill", "date_of_birth": "1970-01-01", "postcode": "D-10115"}],
    )
    assert (kept == expected).all()


def test_names_kinds_and_markings_are_checked_first(node):
    for name, kind, marking in (("", "subjects", "OFFICIAL"), ("a/b", "subjects", "OFFICIAL")):
        with pytest.raises(InputError, match="name"):
            import_collection(node, name, kind, PEOPLE, marking=marking)
    with pytest.raises(InputError, match="unknown kind"):
        import_collection(node, "a", "cats", PEOPLE)
    with pytest.raises(InputError, match="unknown marking"):
        import_collection(node, "a", "subjects", PEOPLE, marking="HUSH")
    import_collection(node, "a", "subjects", PEOPLE, marking="OFFICIAL-SENSITIVE")
    assert open_collection(node, "a").marking == "OFFICIAL-SENSITIVE"
    with pytest.raises(StoreError, match="already"):
        import_collection(node, "a", "subjects", PEOPLE)
    assert len(folders(node)) == 1


def test_what_a_crashed_import_left_is_cleared_and_nothing_else(node):
    kept = import_collection(node, "kept", "subjects", PEOPLE).collection
    for name in ("0" * 32, "1" * 32 + ".partial"):
        (node.collections_dir / name).mkdir()
        (node.collections_dir / name / "columns").write_bytes(b"half")
    (node.collections_dir / "notes").mkdir()
    new = import_collection(node, "new", "subjects", PEOPLE).collection
    assert folders(node) == sorted([kept, new, "notes"])


def test_a_failure_at_the_last_step_leaves_nothing(node, monkeypatch):
    def refuse(_row):
        raise StoreError("the database is gone")

    monkeypatch.setattr(node.store, "add_collection", refuse)
    with pytest.raises(StoreError, match="gone"):
        import_collection(node, "people", "subjects", PEOPLE)
    assert folders(node) == []


def test_two_imports_at_once_are_refused(node):
    seen = []

    def meanwhile(_done, _total):
        if not seen:
            seen.append(True)
            with pytest.raises(StoreError, match="another import is running"):
                import_collection(node, "second", "subjects", PEOPLE)

    import_collection(node, "first", "subjects", PEOPLE, progress=meanwhile)
    assert seen
    assert [row.name for row in node.store.collections()] == ["first"]


def test_delete_erases_row_and_files_and_says_so(node):
    import_collection(node, "people", "subjects", PEOPLE)
    delete_collection(node, "people", justification="retention")
    assert node.store.collections() == []
    assert folders(node) == []
    assert events(node)[-1] == ("erasure", "collection people")
    with pytest.raises(StoreError):
        delete_collection(node, "people")


def test_altered_or_exchanged_files_do_not_open(node):
    one = import_collection(node, "one", "subjects", PEOPLE).collection
    two = import_collection(node, "two", "subjects", PEOPLE).collection
    first, second = node.collections_dir / one, node.collections_dir / two
    (first / "columns").write_bytes((second / "columns").read_bytes())
    with pytest.raises(KeysError, match="does not open"):
        open_collection(node, "one").columns(0, 1)
    data = bytearray((first / "index").read_bytes())
    data[20] ^= 1
    (first / "index").write_bytes(data)
    with pytest.raises(KeysError, match="does not open"):
        open_collection(node, "one")
    (second / "handling").unlink()
    with pytest.raises(StoreError, match="handling"):
        open_collection(node, "two")


def test_a_cut_file_does_not_open(node):
    found = import_collection(node, "one", "subjects", PEOPLE).collection
    path = node.collections_dir / found / "records"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(KeysError):
        open_collection(node, "one").record(0)


def test_a_collection_of_another_schema_version_must_be_imported_again(node, monkeypatch):
    import_collection(node, "people", "subjects", PEOPLE)
    changed = replace(SCHEMA, model=replace(SCHEMA.model, along=0.1))
    monkeypatch.setattr("blindmatch.node.imports.collection.load_schema", lambda _name: changed)
    with pytest.raises(StoreError, match="another version of the schema"):
        open_collection(node, "people")


def test_a_reader_refuses_a_later_format(node, monkeypatch):
    found = import_collection(node, "people", "subjects", PEOPLE).collection
    monkeypatch.setattr("blindmatch.node.imports.blocks.FORMAT", 0)
    with pytest.raises(StoreError, match="format 2"):
        BlockReader(node.collections_dir / found, node.keys.sealer.derive("collections"), found)


def test_files_are_for_the_owner_only(node):
    found = import_collection(node, "people", "subjects", PEOPLE).collection
    assert (node.collections_dir / found).stat().st_mode & 0o077 == 0


def test_a_parquet_file_makes_the_same_collection(node, tmp_path):
    with PEOPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    path = tmp_path / "people.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    facts = ["group_reference"]
    made = [
        import_collection(node, name, "subjects", file, facts=facts)
        for name, file in (("a", PEOPLE), ("b", path))
    ]
    assert made[0].records == made[1].records > 0
    one, other = (open_collection(node, report.collection) for report in made)
    assert np.array_equal(one.columns(0, one.records).columns, other.columns(0, other.records).columns)
    for place in range(one.records):
        left, right = one.record(place), other.record(place)
        assert (left.reference, left.handling, left.facts) == (right.reference, right.handling, right.facts)
