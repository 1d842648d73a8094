"""Invented files for `bench import`, in the layouts in which agencies and the register publish them; streamed, any size."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from blindmatch.simulations.world.input_files import POLICE_COLUMNS, SUPPLIER_COLUMNS
from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.population import postcode
from blindmatch.simulations.world.rng import SeededRandom

_TOWNS: Final = (
    "ASHMOOR", "BRACKENFORD", "CALDERWICK", "DUNHOLME", "EASTMERE", "FARLEIGH", "GORSEDALE", "HOLLINBECK",
    "IVERSTONE", "KELDWATER", "LARKFIELD", "MARSHCOTE",
)  # fmt: skip
_AREAS: Final = ("AE", "QX", "XQ", "ZV", "AX", "QZ")


class People:
    """An unlimited sequence of invented people; the same label gives the same people."""

    def __init__(self, label: str) -> None:
        self.rng = SeededRandom("bench", label)
        self._names = load_names()
        self._communities = tuple(self._names.communities.values())

    def person(self) -> dict[str, Any]:
        """One person: names, date of birth, address."""
        rng = self.rng
        community = self._communities[min(rng.number(0, 11), len(self._communities) - 1)]
        year, month, day = rng.number(1940, 2006), rng.number(1, 12), rng.number(1, 28)
        sex = rng.pick(("male", "female"))
        forenames = community.forename(rng, sex, year)
        if rng.number(0, 2) == 0:
            forenames += " " + community.forename(rng, sex, year)
        return {
            "forenames": forenames,
            "surname": community.surname(rng),
            "sex": sex,
            "born": (year, month),
            "date_of_birth": f"{year}-{month:02d}-{day:02d}",
            "premises": str(rng.number(1, 240)),
            "street": f"{rng.pick(self._names.streets)} {rng.pick(self._names.street_kinds)}",
            "town": rng.pick(_TOWNS),
            # One of about two million postcodes in areas that do not exist.
            "postcode": postcode(rng, rng.pick(_AREAS), 40),
        }


PEOPLE_COLUMNS: Final = (
    "reference",
    "forenames",
    "surname",
    "date_of_birth",
    "postcode",
    "handling_code",
    "contract_value",
)
Rows = list[tuple[str, ...]]


def people_row(serial: int, person: dict[str, Any]) -> tuple[str, ...]:
    """A person as a row of `PEOPLE_COLUMNS`."""
    return (
        f"N{serial:07d}",
        person["forenames"],
        person["surname"],
        person["date_of_birth"],
        person["postcode"],
        "P",
        str(1_000 + serial % 9_000),
    )


def people_rows(label: str, count: int) -> Rows:
    """Rows of invented people with references; the same label gives the same people."""
    people = People(label)
    return [people_row(serial, people.person()) for serial in range(count)]


def write_people(path: Path, rows: Iterable[tuple[str, ...]]) -> Path:
    """Write rows of people as a CSV file that either side can import; returns its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(PEOPLE_COLUMNS)
        writer.writerows(rows)
    return path


def company(serial: int) -> str:
    """The number of the invented company with this serial number."""
    return f"{10_000_000 + serial:08d}"


def _write(path: Path, lines: Iterator[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line)
            count += 1
    return count


def _write_table(
    path: Path, columns: tuple[str, ...], rows: int, label: str, row: Callable[[int, People], dict[str, str]]
) -> int:
    """Write a CSV file with so many rows; columns that a row lacks are empty. Returns the number of rows."""
    people = People(label)

    def lines() -> Iterator[str]:
        yield ",".join(columns) + "\n"
        for serial in range(rows):
            values = row(serial, people)
            yield ",".join(values.get(name, "") for name in columns) + "\n"

    return _write(path, lines()) - 1


def _subject(serial: int, people: People) -> dict[str, str]:
    person = people.person()
    return {
        "reference": f"N{serial:08d}",
        "forenames": person["forenames"],
        "surname": person["surname"],
        "date_of_birth": person["date_of_birth"],
        "postcodes": person["postcode"],
        "handling_code": "P",
    }


def _supplier(serial: int, people: People) -> dict[str, str]:
    person = people.person()
    return {
        "reference": f"V{serial:08d}",
        "name": f"{person['surname']} {person['town'].title()} Services Ltd",
        "company_number": company(serial),
        "postcode": person["postcode"],
        "contract_reference": f"C{serial:08d}",
        "contract_value": f"{people.rng.number(500, 900_000)}.00",
    }


def write_subjects(path: Path, rows: int) -> int:
    """A police extract of people as CSV; returns its rows."""
    return _write_table(path, POLICE_COLUMNS, rows, "subjects", _subject)


def write_suppliers(path: Path, rows: int) -> int:
    """A council's suppliers as CSV: the companies with serial numbers 0 to `rows`; returns its rows."""
    return _write_table(path, SUPPLIER_COLUMNS, rows, "suppliers", _supplier)


def write_psc(path: Path, rows: int) -> int:
    """People with significant control as JSON lines, one per company, dates of birth to the month; returns its lines."""
    people = People("psc")

    def lines() -> Iterator[str]:
        for serial in range(rows):
            person = people.person()
            year, month = person["born"]
            title = "Mr" if person["sex"] == "male" else "Mrs"
            forename, _, middle = person["forenames"].partition(" ")
            elements = {"title": title, "forename": forename, "surname": person["surname"]}
            if middle:
                elements["middle_name"] = middle
            number = company(serial)
            data = {
                "address": {
                    "address_line_1": person["street"],
                    "country": "England",
                    "locality": person["town"].title(),
                    "postal_code": person["postcode"],
                    "premises": person["premises"],
                },
                "country_of_residence": "England",
                "date_of_birth": {"month": month, "year": year},
                "etag": f"{serial:040x}",
                "kind": "individual-person-with-significant-control",
                "links": {
                    "self": f"/company/{number}/persons-with-significant-control/individual/{serial:024x}"
                },
                "name": f"{title} {person['forenames']} {person['surname']}",
                "name_elements": elements,
                "nationality": "British",
                "natures_of_control": ["ownership-of-shares-75-to-100-percent"],
                "notified_on": f"{people.rng.number(2016, 2025)}-{month:02d}-01",
            }
            text = json.dumps(
                {"company_number": number, "data": data}, ensure_ascii=False, separators=(",", ":")
            )
            yield text + "\n"

    return _write(path, lines())


def write_officers(path: Path, rows: int) -> int:
    """Officers bulk (product 216), fixed width: a company and its one director per pair of lines; returns its lines, at least 2."""
    rows, people = max(rows, 2), People("officers")

    def lines() -> Iterator[str]:
        yield "DDDDSNAP289820260101\n"
        records = 0
        for serial in range((rows + 1) // 2):
            person = people.person()
            year, month = person["born"]
            number, title = company(serial), f"{person['surname'].upper()} TRADING LTD<"
            yield f"{number}1{' ':23}0001{len(title.encode()):04d}{title}\n"
            records += 1
            if records == rows:
                break
            fields = [""] * 14
            fields[1], fields[2] = person["forenames"], person["surname"].upper()
            fields[6], fields[8], fields[10] = (
                f"{person['premises']} {person['street']}",
                person["town"],
                "ENGLAND",
            )
            fields[11], fields[12] = "DIRECTOR", "BRITISH"
            tail = "".join(field + "<" for field in fields)
            yield (
                f"{number}2101{serial:012d}{' ':8}{people.rng.number(2005, 2025)}0415{' ':8}"
                f"{person['postcode']:<8}{f'{year}{month:02d}':<8}{' ':8}{len(tail.encode()):04d}{tail}\n"
            )
            records += 1
        yield f"99999999{records:08d}\n"

    return _write(path, lines()) - 2
