"""The register of people with significant control, as the daily snapshot has it: one JSON object a line.

`{"company_number": …, "data": {"kind": …, "name_elements": {…}, "date_of_birth": {"month", "year"}, …}}`
A company's own line, a statement without a person and a corporate holder are passed over: only people are matched.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blindmatch.node.importers.lines import Lines, Progress, open_input, sniff
from blindmatch.node.importers.records import Draft, RowFault, names_part
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.dates import date
from blindmatch.protocol.linkage.normalise import (
    company_number,
    forenames,
    postcode,
    split_full_name,
    surname,
)

PEOPLE: Final = frozenset({"individual-person-with-significant-control", "individual-beneficial-owner"})
ROLE: Final = "person with significant control"

_NO_REGISTER: Final = (
    "The register is the PSC snapshot as JSON lines, unpacked; tables go in without --register."
)

# The snapshot's lines begin so; most are of companies that nobody asked about and need no parsing.
_PREFIX = re.compile(rb'\s*\{\s*"company_number"\s*:\s*"([0-9A-Za-z]{1,10})"')


@dataclass(frozen=True)
class Holding:
    """One of our own records that names a company: what its people inherit."""

    reference: str = field(repr=False)
    handling: str
    facts: Mapping[str, str] = field(repr=False)
    row: int


@dataclass
class Seen:
    """What a pass over the register met."""

    lines: int = 0
    people: int = 0
    companies: set[str] = field(default_factory=set, repr=False)
    ceased: int = 0
    warnings: dict[str, int] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Count a warning."""
        self.warnings[text] = self.warnings.get(text, 0) + 1


def expand(
    path: Path,
    wanted: Mapping[str, Sequence[Holding]],
    seen: Seen,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
    limit: int = LIMITS.row_bytes,
) -> Iterator[Draft]:
    """Stream the register once: a draft for every person of every wanted company and each of its holders here.

    Args:
        path: the snapshot, unpacked.
        wanted: canonical company number to the records that named it.
        seen: filled on the way.
        include_ceased: people whose control has ended, too.
        progress: called now and then.
        limit: bytes of one line.

    Raises:
        InputError: cannot be read, is empty, or is no register at all.
    """
    with open_input(path) as file:
        sniff(path, file)
        lines = Lines(path, file, limit, progress)
        for line in lines:
            if line is not None and not line.strip():
                continue
            seen.lines += 1
            try:
                entry = _entry(line, wanted)
            except ValueError as error:
                if seen.lines == 1:
                    raise InputError(f"{path}: line {lines.number}: {error}", hint=_NO_REGISTER) from None
                fault = RowFault(path.name, lines.number, "", str(error))
                yield Draft(lines.number, faults=[fault], unusable=True)
            else:
                if entry is not None:
                    yield from _drafts(entry, wanted, seen, lines.number, include_ceased=include_ceased)


@dataclass(frozen=True)
class _Entry:
    company: str
    data: dict[str, Any]


def _entry(line: bytes | None, wanted: Mapping[str, object]) -> _Entry | None:
    """A person's entry of a wanted company, or None for one to pass over; ValueError says why it is no entry."""
    if line is None:
        raise ValueError("the line is too long")
    match = _PREFIX.match(line)
    if match and match[1].decode().upper() not in wanted:
        if not line.rstrip().endswith(b"}"):
            raise ValueError("the line breaks off")
        return None
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("the line breaks off, or is not JSON") from None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        raise ValueError("the line is not an entry of the register")  # noqa: TRY004 - the line's fault
    try:
        company = company_number(_text(content, "company_number"))
    except ValueError:
        return None  # a number that is none belongs to nobody that was asked about
    return _Entry(company, data) if company in wanted and _text(data, "kind") in PEOPLE else None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value.strip() if isinstance(value, str) else ""


def _object(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []


def _drafts(
    entry: _Entry, wanted: Mapping[str, Sequence[Holding]], seen: Seen, row: int, *, include_ceased: bool
) -> Iterator[Draft]:
    data = entry.data
    ceased = _text(data, "ceased_on")
    seen.companies.add(entry.company)
    if (ceased or data.get("ceased") is True) and not include_ceased:
        seen.ceased += 1
        return
    seen.people += 1
    name = names_part(_name(data), ())
    parts = [name, _born(data, seen), _lives(data, seen)]
    provenance = {
        "register": "psc",
        "company_number": entry.company,
        "role": ROLE,
        "kind": _text(data, "kind"),
        "notified_on": _text(data, "notified_on"),
        "ceased_on": ceased,
        "natures_of_control": "; ".join(
            item for item in _list(data, "natures_of_control") if isinstance(item, str)
        ),
        "link": _text(_object(data, "links"), "self"),
    }
    provenance = {key: value for key, value in provenance.items() if value}
    public: dict[str, str] = {
        key: provenance[key]
        for key in ("company_number", "role", "notified_on", "ceased_on")
        if key in provenance
    }
    for holding in wanted[entry.company]:
        yield Draft(
            row,
            reference=holding.reference,
            parts=[part for part in parts if part],
            handling=holding.handling,
            facts={**public, **holding.facts},
            provenance={**provenance, "row": str(holding.row)},
        )


def _name(data: Mapping[str, Any]) -> tuple[str, str]:
    elements = _object(data, "name_elements")
    given = f"{_text(elements, 'forename')} {_text(elements, 'middle_name')}"
    first, last = forenames(given), surname(_text(elements, "surname"))
    return (first, last) if first and last else split_full_name(_text(data, "name"))


def _born(data: Mapping[str, Any], seen: Seen) -> list[dict[str, str]]:
    born = _object(data, "date_of_birth")
    if born.get("year") is None:
        return []
    # The day, where an entry has one at all, is not for the public; month and year are the rule.
    numbers = [born["year"]] + ([] if born.get("month") is None else [born["month"]])
    try:
        return [{"date_of_birth": date("-".join(f"{int(number):02d}" for number in numbers))}]
    except (ValueError, TypeError, OverflowError):
        seen.warn("people of the register with an impossible date of birth, which was left out")
        return []


def _lives(data: Mapping[str, Any], seen: Seen) -> list[dict[str, str]]:
    text = _text(_object(data, "address"), "postal_code")
    try:
        code = postcode(text)
    except ValueError:
        seen.warn("people of the register with a postcode that is not a UK one, which was left out")
        return []
    return [{"postcode": code}] if code else []
