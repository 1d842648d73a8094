"""Writes an area's input files in the formats in which agencies and the register publish them."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company, Control, Population

SEPARATOR = ";"
"""Between several values in one cell."""

POLICE_COLUMNS = tuple(each.name for each in fields(Subject) if each.name not in {"person", "noise"})

FINANCE_HEADINGS = {
    "reference": "Vendor Key",
    "name": "Vendor Name",
    "company_number": "Registration",
    "vat_number": "VAT Reg. Number",
    "postcode": "Post Town Code",
    "contract_reference": "contract_reference",
    "contract_value": "contract_value",
}
"""What another finance system prints above the same columns. Columns that are released as facts keep the agreed names."""

FINANCE_MAPPING = """\
[columns]
reference = "Vendor Key"
company_number = "Registration"
postcode = "Post Town Code"
"""
"""The mapping file that goes with these headings."""

SUPPLIER_COLUMNS = tuple(FINANCE_HEADINGS)


def _cell(value: Any) -> str:
    """Several values are joined by `SEPARATOR`; an amount is in pounds and pence."""
    if isinstance(value, tuple):
        return SEPARATOR.join(value)
    return f"{value}.00" if isinstance(value, int) else str(value)


def _rows(records: Iterable[Subject | Supplier], columns: Sequence[str]) -> Iterator[list[str]]:
    return ([_cell(getattr(record, name)) for name in columns] for record in records)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(rows)


def parquet_available() -> bool:
    """Whether the extra `parquet` is installed."""
    return find_spec("pyarrow") is not None


def write_police(path: Path, subjects: Sequence[Subject]) -> None:
    """A police people extract: CSV, or Parquet when the path ends so; the same columns in both.

    Dates of birth are text as the force holds them: a day, a year, or nothing.
    """
    if path.suffix == ".parquet":
        _write_parquet(path, subjects)
    else:
        _write_csv(path, POLICE_COLUMNS, _rows(subjects, POLICE_COLUMNS))


def _write_parquet(path: Path, subjects: Sequence[Subject]) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- an optional extra
    from pyarrow import parquet  # noqa: PLC0415

    columns = zip(*_rows(subjects, POLICE_COLUMNS), strict=True)
    table = pa.table([pa.array(cells, pa.string()) for cells in columns], list(POLICE_COLUMNS))
    parquet.write_table(table, path, compression="snappy")


def write_suppliers(path: Path, suppliers: Sequence[Supplier], *, finance_headings: bool = False) -> None:
    """A council's supplier list as CSV, one row per supplier and contract.

    Args:
        path: the file.
        suppliers: the rows.
        finance_headings: write `FINANCE_HEADINGS` above the columns; an import then needs a mapping.
    """
    headings = tuple(FINANCE_HEADINGS.values()) if finance_headings else SUPPLIER_COLUMNS
    _write_csv(path, headings, _rows(suppliers, SUPPLIER_COLUMNS))


def _identifier(*parts: str | int) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _person_entry(company: Company, control: Control, towns: Sequence[Population]) -> dict[str, Any]:
    home = next(town for town in reversed(towns) if town.first <= control.person)
    person = home.person(control.person)
    title = "Mr" if person.sex == "male" else "Mrs" if person.former else "Ms"
    elements = {"title": title, "forename": control.forename, "surname": control.surname}
    if control.middle:
        elements["middle_name"] = control.middle
    etag = _identifier(company.number, control.person)
    data: dict[str, Any] = {
        "address": {
            "address_line_1": control.address,
            "country": "England",
            "locality": home.town,
            "postal_code": control.postcode,
            "premises": control.address.split()[0].strip(","),
        },
        "ceased_on": control.ceased.isoformat() if control.ceased else None,
        "country_of_residence": "England",
        "date_of_birth": {"month": person.born.month, "year": person.born.year},
        "etag": etag[:40],
        "kind": "individual-person-with-significant-control",
        "links": {"self": f"/company/{company.number}/persons-with-significant-control/individual/{etag[40:64]}"},
        "name": " ".join(part for part in (title, control.forename, control.middle, control.surname) if part),
        "name_elements": elements,
        "nationality": "British",
        "natures_of_control": ["ownership-of-shares-25-to-50-percent" if len(company.controls) > 1 else
                               "ownership-of-shares-75-to-100-percent"],
        "notified_on": control.notified.isoformat(),
    }  # fmt: skip
    if control.ceased is None:
        del data["ceased_on"]
    return data


def _corporate_entry(company: Company, names: dict[str, str]) -> dict[str, Any]:
    etag = _identifier(company.number, company.parent)
    return {
        "address": {"address_line_1": company.address, "postal_code": company.postcode},
        "etag": etag[:40],
        "identification": {
            "country_registered": "England",
            "legal_form": "Private Limited Company",
            "place_registered": "Companies House",
            "registration_number": company.parent,
        },
        "kind": "corporate-entity-person-with-significant-control",
        "links": {
            "self": f"/company/{company.number}/persons-with-significant-control/corporate-entity/{etag[40:64]}"
        },
        "name": names.get(company.parent, "Holdings Limited"),
        "natures_of_control": ["ownership-of-shares-75-to-100-percent"],
        "notified_on": "2019-04-01",
    }


def write_register(path: Path, companies: Iterable[Company], towns: Sequence[Population]) -> int:
    """The register of people with significant control: one JSON object a line, as in the daily snapshot.

    Args:
        path: the file.
        companies: whose controllers it lists.
        towns: where these live, in the order of people's ids.

    Dates of birth have month and year only. Returns the number of lines.
    """
    companies = list(companies)
    names = {company.number: company.name for company in companies}
    lines = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for company in companies:
            entries = [_person_entry(company, control, towns) for control in company.controls]
            if company.parent:
                entries.append(_corporate_entry(company, names))
            for data in entries:
                line = {"company_number": company.number, "data": data}
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                lines += 1
    return lines
