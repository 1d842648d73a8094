"""Searches files for content of records that must not appear there: databases, logs, recorded messages."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.simulations.world.area import AreaData

_TOKEN = re.compile(rb"[A-Z]+-N-\d{6}|[A-Z]*[VC]\d{6}|\b\d{8}\b|\b[A-Z]{2}\d{1,2} \d[A-Z]{2}\b")
"""References, contracts, company numbers and postcodes, as the simulation writes them."""

_DATE = re.compile(rb"\b(?:19|20)\d\d-\d\d-\d\d\b")
_NAME = re.compile(rb"[A-Za-z][A-Za-z'-]{7,}")
"""Shorter names occur in random bytes."""

_PIECE = 1 << 22
_OVERLAP = 64


@dataclass(frozen=True)
class Secrets:
    """Values that no node may show in plaintext."""

    words: frozenset[bytes] = field(repr=False)

    @classmethod
    def of(cls, area_data: AreaData) -> "Secrets":
        """Every reference, contract, company number, postcode, date of birth and long surname of an area's lists."""
        words: set[str] = set()
        worlds = [area_data] if area_data.later is None else [area_data, area_data.later]
        for subjects in (rows for each in worlds for rows in each.subjects.values()):
            for subject in subjects:
                words |= {subject.reference, subject.date_of_birth, *subject.postcodes}
                words |= {*subject.company_numbers, subject.surname}
        for suppliers in (rows for each in worlds for rows in each.suppliers.values()):
            for supplier in suppliers:
                words |= {supplier.reference, supplier.contract_reference, supplier.company_number}
        for company in area_data.companies:
            words.add(company.number)
            words |= {control.surname for control in company.controls}
        return cls(frozenset(word.encode() for word in words if len(word) >= 6))

    def search(self, data: bytes) -> set[str]:
        """The secrets that appear in `data`."""
        seen: set[bytes] = set()
        for pattern in (_TOKEN, _DATE, _NAME):
            seen.update(pattern.findall(data))
        return {word.decode() for word in seen & self.words}


def search_files(folders: Iterable[Path], secrets: Secrets) -> Iterator[str]:
    """Every file below the folders that contains secrets, with their number."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            secret_values: set[str] = set()
            with path.open("rb") as file:
                before = b""
                while piece := file.read(_PIECE):
                    secret_values |= secrets.search(before + piece)
                    before = piece[-_OVERLAP:]
            if secret_values:
                yield f"{path.relative_to(folder.parent)}: {len(secret_values)} values in plaintext"
