"""Collections out of every format, and the people behind suppliers with where each of them came from."""

import numpy as np
import pytest
from tests.support.paths import FORMATS
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.imports import ImportRefusedError, OnBad, import_collection, open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import InputError

OFFICERS, PSC, SUPPLIERS = (FORMATS / name for name in ("officers-216.dat", "psc.jsonl", "suppliers.csv"))


@pytest.fixture
def node(tmp_path):
    settings = Settings(agency="north-council", name="North Council", role="council")
    with Node.create(tmp_path / "node", settings, "correct horse", scrypt_n=2**10, user="ann") as made:
        yield made


def records(node, name="c"):
    found = open_collection(node, name)
    return [found.record(number) for number in range(found.records)]


def facts_of(record, *names):
    return tuple(record.facts.get(name, "") for name in names)


def test_suppliers_become_the_people_of_both_registers_with_contract_and_appointment(node):
    report = import_collection(node, "c", "suppliers", SUPPLIERS, register=[OFFICERS, PSC])
    assert report.format == "table"
    assert report.facts == {
        "company_number": "",
        "role": "",
        "contract_reference": "contract ref",
        "contract_value": "Contract Value (GBP)",
        "contract_start": "contract start",
        "contract_end": "contract end",
        "appointed_on": "",
        "resigned_on": "",
        "active": "",
        "via_company": "",
    }
    assert report.register["people"] == 4 + 1
    assert report.register["people_behind_corporate"] == 1
    assert report.register["ceased"] == 1
    facts = ("contract_reference", "company_number", "role", "appointed_on", "active", "via_company")
    assert [(record.reference, *facts_of(record, *facts)) for record in records(node)] == [
        ("K1", "C10", "01234567", "company", "", "", ""),
        ("K2", "C11", "OC301234", "company", "", "", ""),
        ("K1", "C10", "01234567", "director", "2019-04-01", "throughout", ""),
        ("K1", "C10", "01234567", "corporate secretary", "2020-01-01", "throughout", ""),
        ("K1", "C10", "01234567", "director", "2021-03-12", "part", ""),
        ("K2", "C11", "OC301234", "designated LLP member", "2015-06-01", "after", ""),
        ("K2", "C11", "OC301234", "LLP member", "2015-06-01", "after", ""),
        ("K1", "C10", "01234567", "person with significant control", "2019-04-01", "throughout", ""),
        # The parent by its own number, then, one level further, the person behind it, and nobody beyond.
        ("K1", "C10", "01234567", "corporate person with significant control", "2020-02-02", "part", ""),
        ("K2", "C11", "OC301234", "corporate person with significant control", "2020-02-02", "after", ""),
        ("K1", "C10", "07654321", "person with significant control", "2016-04-06", "throughout", "01234567"),
        (
            "K1",
            "C10",
            "07654321",
            "corporate person with significant control",
            "2016-04-06",
            "throughout",
            "01234567",
        ),
    ]
    director = records(node)[2]
    assert director.provenance == {
        "register": "officers",
        "company_number": "01234567",
        "role": "director",
        "appointed_on": "2019-04-01",
        "person_number": "100000010001",
        "appointment": "2019-04-01 to now",
        "contract": "2020-01-01 to 2022-12-31",
        "active": "throughout",
        "row": "2",
    }


def test_resigned_officers_say_when_they_left(node):
    import_collection(node, "c", "suppliers", SUPPLIERS, register=OFFICERS, include_ceased=True)
    (resigned,) = [record for record in records(node) if record.facts.get("resigned_on")]
    assert facts_of(resigned, "resigned_on", "active") == ("2018-06-30", "before")


def test_one_person_with_several_contracts_counts_once(node, tmp_path):
    rows = [f"K{number},1234567,C{number}" for number in range(5)]
    path = tmp_path / "suppliers.csv"
    path.write_text("\n".join(["reference,company number,contract ref", *rows, ""]), encoding="utf-8")
    import_collection(node, "c", "suppliers", path, register=OFFICERS)
    found = open_collection(node, "c")
    every = np.arange(found.records)
    assert found.records == 5 + 5 * 3
    entities = found.entities(every)
    assert len(np.unique(entities)) == 1 + 3
    assert np.array_equal(found.entities(every[3:8]), entities[3:8])


def test_records_that_stand_alone_are_all_different(node):
    people = FORMATS.parent / "linkage" / "people.csv"
    import_collection(node, "c", "subjects", people)
    found = open_collection(node, "c")
    assert len(np.unique(found.entities(np.arange(found.records)))) == found.records


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("ocds-release-package.json", "suppliers", 2),
        ("ocds-record-package.json", "suppliers", 2),
        ("ocds-releases.jsonl", "suppliers", 2),
        ("bods.json", "bidders", 3),
        ("bods.jsonl", "bidders", 3),
        ("ftm.jsonl", "bidders", 5),
        ("psc.jsonl", "bidders", 6),
        ("officers-216.dat", "bidders", 6),
    ],
)
def test_every_format_becomes_a_collection(node, name, kind, count):
    report = import_collection(node, "c", kind, FORMATS / name)
    assert (report.records, report.bad_row_count) == (count, 0)
    text = str([(record.facts, record.provenance) for record in records(node)]).lower()
    for secret in ("quillfeather", "ada rose", "1970-02", "ng9", "wren lane", "moorside"):
        assert secret not in text


def test_the_people_behind_the_suppliers_of_contracts_know_the_contract(node):
    import_collection(node, "c", "suppliers", FORMATS / "ocds-release-package.json", register=[OFFICERS])
    (ada,) = [
        record
        for record in records(node)
        if facts_of(record, "role", "appointed_on") == ("director", "2019-04-01")
    ]
    assert ada.facts["contract_reference"] == "C1"
    assert ada.facts["active"] == "throughout"
    assert ada.facts["buyer"] == "Northvale Council"
    assert ada.reference == "ocds-b5fd17-0001/C1/GB-COH-01234567"


def test_a_repeated_reference_is_a_bad_row_in_every_format(node, tmp_path):
    text = (FORMATS / "ftm.jsonl").read_text(encoding="utf-8")
    path = tmp_path / "twice.jsonl"
    path.write_text(text + text.splitlines()[6] + "\n", encoding="utf-8")
    with pytest.raises(ImportRefusedError) as caught:
        import_collection(node, "c", "bidders", path)
    assert [(f.row, f.reason) for f in caught.value.report.bad_rows] == [
        (12, "is already used by an earlier record")
    ]
    report = import_collection(node, "c", "bidders", path, on_bad=OnBad.SKIP_ROW)
    assert report.bad_row_count == 1


def test_bad_lines_of_a_register_refuse_and_are_counted_once(node, tmp_path):
    path = tmp_path / "psc.jsonl"
    lines = PSC.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:50], *lines[4:]]), encoding="utf-8")
    with pytest.raises(ImportRefusedError) as caught:
        import_collection(node, "c", "suppliers", SUPPLIERS, register=path)
    assert [(f.file, f.row) for f in caught.value.report.bad_rows] == [("psc.jsonl", 4)]
    assert node.store.collections() == []


def test_what_cannot_be_is_refused(node, tmp_path):
    with pytest.raises(InputError, match="unknown format cats"):
        import_collection(node, "c", "bidders", PSC, form="cats")
    with pytest.raises(InputError, match="header of the officers"):
        import_collection(node, "c", "bidders", PSC, form="officers")
    empty = tmp_path / "empty.json"
    empty.write_text('{"releases": []}', encoding="utf-8")
    with pytest.raises(InputError, match="no records"):
        import_collection(node, "c", "suppliers", empty)
    with pytest.raises(InputError, match=r"none\.dat"):
        import_collection(node, "c", "suppliers", SUPPLIERS, register=[OFFICERS, tmp_path / "none.dat"])
    assert node.store.collections() == []


def test_the_command_takes_formats_and_several_registers(node, monkeypatch):
    monkeypatch.setenv("BLINDMATCH_HOME", str(node.home))
    monkeypatch.setenv("BLINDMATCH_PASSPHRASE", "correct horse")
    node.store.close()

    def run(*arguments):
        return CliRunner().invoke(app, ["collection", "import", *map(str, arguments)])

    done = run(
        SUPPLIERS, "--kind", "suppliers", "--register", OFFICERS, "--register", PSC, "--include-resigned"
    )
    assert done.exit_code == 0, done.output
    assert "an agreement may release: company_number, role, contract_reference (contract ref)" in done.output
    assert "register: 6 people of 2 companies, 1 more behind 4 corporate officers" in done.output
    assert run(FORMATS / "bods.json", "--kind", "bidders", "--format", "bods").exit_code == 0
    needless = CliRunner().invoke(app, ["collection", "map", str(FORMATS / "bods.json"), "--kind", "bidders"])
    assert "a mapping is for tables, and this is bods" in needless.output
    wrong = run(FORMATS / "bods.json", "--kind", "bidders", "--name", "x", "--format", "officers")
    assert wrong.exit_code == 1
    assert "not a header" in wrong.output
