"""From a company to the people behind it: what the registers have in common.

A record of ours names a company (`Holding`); a register's line says who serves it or controls it, and when
(`Appointment`). Each pair becomes a draft that says which contract, which company, which appointment, active when.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from blindmatch.node.imports.formats.drafts import Draft, Notes, Part

CompanyLookup = Mapping[str, Sequence["SourceRecord"]]
"""Canonical company number to the records that named it."""

UNKNOWN: Final = "unknown"


class Period(NamedTuple):
    """From when to when, as `YYYY-MM-DD` or less; blank is unknown, or still lasting."""

    start: str = ""
    end: str = ""

    @property
    def words(self) -> str:
        """`2019-04-01 to 2022-01-31`, or blank when nothing is known."""
        return f"{self.start or UNKNOWN} to {self.end or 'now'}" if self.start or self.end else ""


UNKNOWN_PERIOD: Final = Period()
"""A period of which nothing is known."""


def _first_day(text: str) -> str:
    return (text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10]


def _last_day(text: str) -> str:
    # Only compared as text, so that every month may have 31 days.
    return (text + "-12-31")[:10] if len(text) == 4 else (text + "-31")[:10]


def overlap(appointment: Period, contract: Period) -> str:
    """How an appointment lies to a contract: `throughout`, `part`, `before`, `after` or `unknown`.

    `before`: it had ended when the contract began. Days that are not given are taken so that the periods meet.
    """
    if not appointment.start or not (contract.start or contract.end):
        return UNKNOWN
    if appointment.end and contract.start and _last_day(appointment.end) < _first_day(contract.start):
        return "before"
    if contract.end and _first_day(appointment.start) > _last_day(contract.end):
        return "after"
    begins = bool(contract.start) and _first_day(appointment.start) <= _first_day(contract.start)
    lasts = not appointment.end or (
        bool(contract.end) and _last_day(appointment.end) >= _last_day(contract.end)
    )
    return "throughout" if begins and lasts else "part"


@dataclass(slots=True)
class SourceRecord:
    """One of our own records that names a company: what its people inherit."""

    reference: str = field(repr=False)
    handling: str
    facts: Mapping[str, str] = field(repr=False)
    row: int
    contract: Period = UNKNOWN_PERIOD
    via: str = ""
    """The company number through whose corporate officer this company is looked up; blank when named itself."""


@dataclass(slots=True)
class Appointment:
    """A register's line: somebody serves or controls a company."""

    register: str
    company: str
    """Canonical number."""
    role: str
    parts: list[Part] = field(repr=False)
    period: Period
    over: bool
    """Resigned, or control has ended."""
    corporate: bool = False
    number: str = ""
    """A corporate officer's own company number, where the line says it."""
    person: str = field(default="", repr=False)
    """What tells that two lines are of one person."""
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    provenance: Mapping[str, str] = field(default_factory=dict, repr=False)
    via: str = ""
    """The wanted company, where a chain of companies leads from this one down to it; blank where this one is wanted."""


@dataclass
class ReadContext(Notes):
    """What the passes over the registers met."""

    lines: int = 0
    people: int = 0
    companies: set[str] = field(default_factory=set, repr=False)
    ceased: int = 0
    corporate: int = 0
    follow: dict[str, list[SourceRecord]] = field(default_factory=dict, repr=False)
    """Companies that serve or control a wanted one, to be looked up themselves."""


def appointment_drafts(
    found: Appointment,
    wanted: CompanyLookup | None,
    seen: ReadContext,
    row: int,
    *,
    include_ceased: bool = False,
) -> Iterator[Draft]:
    """A draft for every record of ours that named the company.

    Where the register is itself the collection (`wanted` is None), one draft that stands alone.
    """
    if wanted is not None:
        seen.companies.add(found.via or found.company)
    if found.over and not include_ceased:
        seen.ceased += 1
        return
    if found.corporate:
        seen.corporate += 1
    else:
        seen.people += 1
    if wanted is None:
        yield _draft(found, SourceRecord(f"{found.company}/{row}", "P", {}, row), row)
        return
    for named in wanted[found.via or found.company]:
        holding = replace(named, via=named.via or found.via) if found.via else named
        if found.number and not named.via and found.number != found.company:
            # One level only: a chain of companies may be a circle.
            seen.follow.setdefault(found.number, []).append(replace(holding, via=found.company))
        yield _draft(found, holding, row)


def _draft(found: Appointment, holding: SourceRecord, row: int) -> Draft:
    period, contract = found.period, holding.contract.words
    active = overlap(period, holding.contract) if contract else ""
    said = {
        "company_number": found.company,
        "role": found.role,
        "appointed_on": period.start,
        "resigned_on": period.end,
    }
    facts = {**said, **found.facts, "active": active, "via_company": holding.via}
    provenance = {
        "register": found.register,
        **said,
        **found.provenance,
        "via_company": holding.via,
        "appointment": period.words,
        "contract": contract,
        "active": active,
        "row": str(holding.row),
    }
    return Draft(
        row,
        reference=holding.reference,
        parts=[part for part in found.parts if part],
        handling=holding.handling,
        facts={**{name: value for name, value in facts.items() if value}, **holding.facts},
        provenance={name: value for name, value in provenance.items() if value},
        entity=found.person,
    )
