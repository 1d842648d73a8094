"""Operations on collections: what is shown of them, and the audit entries."""

import json

import pytest
from tests.support.paths import FORMATS

from blindmatch.node.operations import collections
from blindmatch.protocol.errors import InputError, StoreError

WEST = "west-force"


@pytest.fixture
def west(town):
    return town.nodes[WEST]


def test_a_collection_is_found_by_its_name_and_its_id(west):
    (row,) = collections.list_collections(west)
    assert collections.find(west, "groups") == collections.find(west, row.id) == row
    assert list(row.data()) == ["id", "name", "kind", "marking", "schema", "records", "rows", "imported_at"]
    with pytest.raises(StoreError):
        collections.find(west, "none")


def test_only_reading_a_record_is_a_consultation(west, entries):
    shown = collections.show(west, "groups")
    assert (shown.handling_codes, shown.records) == ({"P": 12, "C": 0}, None)
    assert "matching_records" not in shown.data()
    assert entries(WEST) == []
    read = collections.show(west, "groups", reference="P-00003", justification="case 7")
    (record,) = read.records
    assert (record.place, record.info.reference) == (3, "P-00003")
    assert "full date of birth" in record.levels
    json.dumps(read.data())
    row = collections.find(west, "groups")
    consultation = ("consultation", "collection groups", "", "case 7", {"id": row.id, "records": 1})
    assert entries(WEST) == [consultation]
    with pytest.raises(InputError, match="no record with this reference"):
        collections.show(west, "groups", reference="P-99999")
    assert entries(WEST) == [consultation]


def test_a_mapping_file_is_proposed_and_read_by_the_import(town, west, tmp_path):
    table, mapping = town.folder / f"{WEST}-groups.csv", tmp_path / "mapping.toml"
    proposed = collections.propose_mapping(table, "subjects", out=mapping)
    assert proposed.data() == {
        "header": list(proposed.header),
        "mapping": mapping.read_text(encoding="utf-8"),
    }
    report = collections.import_collection(west, "again", "subjects", table, mapping=mapping)
    assert report.data()["imported"] is True
    assert report.records == 12
    with pytest.raises(InputError, match="exists already"):
        collections.propose_mapping(table, "subjects", out=mapping)
    with pytest.raises(InputError, match="a mapping is for tables"):
        collections.propose_mapping(FORMATS / "bods.json", "bidders")


def test_bad_rows_are_written_to_a_file(west, tmp_path):
    table, out = tmp_path / "bad.csv", tmp_path / "report.csv"
    table.write_text("reference,surname,dob\nA,Quill,1970-02-30\n", encoding="utf-8")
    with pytest.raises(collections.ImportRefusedError) as refused:
        collections.import_collection(west, "bad", "subjects", table)
    report = refused.value.report
    assert report.data()["imported"] is False
    report.write_bad_rows(out)
    assert out.read_text(encoding="utf-8").splitlines() == [
        "file,row,field,reason,kept",
        "bad.csv,2,date_of_birth,there is no such day in that month,",
    ]
