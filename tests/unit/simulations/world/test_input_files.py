"""Input files have the published columns and fields, and are the same for the same seed."""

import csv
import hashlib
import json

import pytest

from blindmatch.simulations.scenario.scenario import load_scenario
from blindmatch.simulations.world import input_files
from blindmatch.simulations.world.area import build_area

POLICE, COUNCIL = "ashmoor-police", "ashmoor-city-council"


@pytest.fixture(scope="module")
def area_data():
    scenario = load_scenario("pilot")
    return build_area(scenario, scenario.areas[0], seed=3, scale=0.2)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_police_csv(area_data, tmp_path):
    input_files.write_police(tmp_path / "police.csv", area_data.subjects[POLICE])
    rows = read(tmp_path / "police.csv")
    assert list(rows[0]) == list(input_files.POLICE_COLUMNS)
    assert [row["reference"] for row in rows] == [subject.reference for subject in area_data.subjects[POLICE]]
    assert [row["company_numbers"].split(";") if row["company_numbers"] else [] for row in rows] == [
        list(subject.company_numbers) for subject in area_data.subjects[POLICE]
    ]
    assert any(row["aliases"] for row in rows)


def test_parquet_holds_the_same_as_csv(area_data, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    input_files.write_police(tmp_path / "police.csv", area_data.subjects[POLICE])
    input_files.write_police(tmp_path / "police.parquet", area_data.subjects[POLICE])
    table = parquet.read_table(tmp_path / "police.parquet").to_pylist()
    assert table == read(tmp_path / "police.csv")


def test_suppliers_csv_with_either_headings(area_data, tmp_path):
    suppliers = area_data.suppliers[COUNCIL]
    input_files.write_suppliers(tmp_path / "a.csv", suppliers)
    input_files.write_suppliers(tmp_path / "b.csv", suppliers, finance_headings=True)
    standard, finance = read(tmp_path / "a.csv"), read(tmp_path / "b.csv")
    assert list(standard[0]) == list(input_files.SUPPLIER_COLUMNS)
    assert [
        {input_files.FINANCE_HEADINGS[name]: value for name, value in row.items()} for row in standard
    ] == finance
    assert any(len(row["company_number"]) == 7 for row in standard), (
        "a lost leading zero belongs to real files"
    )
    assert any(not row["company_number"] for row in standard)


def test_register_lines_follow_the_snapshot(area_data, tmp_path):
    count = input_files.write_register(tmp_path / "psc.txt", area_data.companies, area_data.towns)
    lines = [json.loads(line) for line in (tmp_path / "psc.txt").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == count > len(area_data.companies) * 0.8
    kinds = {line["data"]["kind"] for line in lines}
    assert kinds == {
        "individual-person-with-significant-control",
        "corporate-entity-person-with-significant-control",
    }
    for line in lines:
        assert set(line) == {"company_number", "data"}
        assert len(line["company_number"]) == 8
        data = line["data"]
        if data["kind"].startswith("individual"):
            assert set(data["date_of_birth"]) == {"month", "year"}
            assert data["name"].endswith(data["name_elements"]["surname"])
            assert data["address"]["postal_code"]
    assert any("ceased_on" in line["data"] for line in lines)


def test_the_register_knows_every_controller(area_data, tmp_path):
    input_files.write_register(tmp_path / "psc.txt", area_data.companies, area_data.towns)
    individuals = [
        line
        for line in map(json.loads, (tmp_path / "psc.txt").read_text(encoding="utf-8").splitlines())
        if line["data"]["kind"].startswith("individual")
    ]
    assert len(individuals) == sum(len(company.controls) for company in area_data.companies)


def test_same_seed_same_bytes(tmp_path):
    digests = []
    for attempt in ("one", "two"):
        scenario = load_scenario("pilot")
        area_data = build_area(scenario, scenario.areas[2], seed=9, scale=0.1)
        folder = tmp_path / attempt
        folder.mkdir()
        input_files.write_police(folder / "police.csv", area_data.subjects["dunmere-police"])
        input_files.write_register(folder / "psc.txt", area_data.companies, area_data.towns)
        for council, suppliers in area_data.suppliers.items():
            input_files.write_suppliers(folder / f"{council}.csv", suppliers)
        digests.append(
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        )
    assert digests[0] == digests[1]
    assert len(digests[0]) == 5
