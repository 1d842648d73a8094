"""Appointments: who serves or controls a company, and when, as every register states it.

A record of the imported file names a company (`SourceRecord`), and a line of a register names a person or company that serves or
controls it (`Appointment`). Each pair becomes a draft with the contract, the company, the appointment, and how the two periods relate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from blindmatch.node.imports.formats.context import (
    UNKNOWN,
    CompanyLookup,
    Period,
    ReadContext,
    SourceRecord,
)
from blindmatch.node.imports.formats.record_drafts import Draft, Part, non_blank


def _first_day(text: str) -> str:
    return (text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10]


def _last_day(text: str) -> str:
    # The result is only compared as text, so every month may have 31 days.
    return (text + "-12-31")[:10] if len(text) == 4 else (text + "-31")[:10]


def overlap(appointment: Period, contract: Period) -> str:
    """How an appointment relates to a contract in time: `throughout`, `part`, `before`, `after` or `unknown`.

    `before`: it had ended when the contract started. Missing days and months are chosen so that the periods overlap.
    """
    if not appointment.start or not (contract.start or contract.end):
        return UNKNOWN
    if appointment.end and contract.start and _last_day(appointment.end) < _first_day(contract.start):
        return "before"
    if contract.end and _first_day(appointment.start) > _last_day(contract.end):
        return "after"
    covers_start = bool(contract.start) and _first_day(appointment.start) <= _first_day(contract.start)
    covers_end = not appointment.end or (
        bool(contract.end) and _last_day(appointment.end) >= _last_day(contract.end)
    )
    return "throughout" if covers_start and covers_end else "part"


@dataclass(slots=True)
class Appointment:
    """One line of a register: a person or company serves or controls a company."""

    register: str
    company: str
    """Canonical number."""
    role: str
    parts: list[Part] = field(repr=False)
    period: Period
    ended: bool
    """Whether the officer has resigned or the control has ended."""
    corporate: bool = False
    number: str = ""
    """A corporate officer's own company number, where the line has it."""
    person: str = field(default="", repr=False)
    """Equal for lines about one person."""
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    provenance: Mapping[str, str] = field(default_factory=dict, repr=False)
    via: str = ""
    """The looked-up company at the lower end of the chain of companies; blank where `company` itself is looked up."""


def appointment_drafts(
    appointment: Appointment, lookup: CompanyLookup | None, context: ReadContext, row: int
) -> Iterator[Draft]:
    """A draft for every record that names the company; without a lookup, one draft for the appointment itself."""
    company = appointment.via or appointment.company
    if lookup is not None:
        context.companies.add(company)
    if appointment.ended and not context.include_ceased:
        context.ceased += 1
        return
    if appointment.corporate:
        context.corporate += 1
    else:
        context.people += 1
    if lookup is None:
        yield _draft(appointment, SourceRecord(f"{appointment.company}/{row}", "P", {}, row), row)
        return
    for record in lookup[company]:
        source = replace(record, via=record.via or appointment.via) if appointment.via else record
        if appointment.number and not record.via and appointment.number != appointment.company:
            # Follow one level only: companies can own each other in a circle.
            context.follow.setdefault(appointment.number, []).append(replace(source, via=appointment.company))
        yield _draft(appointment, source, row)


def _draft(appointment: Appointment, source: SourceRecord, row: int) -> Draft:
    contract = source.contract.text
    active = overlap(appointment.period, source.contract) if contract else ""
    details = appointment_facts(appointment.company, appointment.role, appointment.period)
    return Draft(
        row,
        reference=source.reference,
        parts=[part for part in appointment.parts if part],
        handling=source.handling,
        facts={
            **non_blank({**details, **appointment.facts, "active": active, "via_company": source.via}),
            **source.facts,
        },
        provenance=non_blank(
            {
                "register": appointment.register,
                **details,
                **appointment.provenance,
                "via_company": source.via,
                "appointment": appointment.period.text,
                "contract": contract,
                "active": active,
                "row": str(source.row),
            }
        ),
        entity=appointment.person,
    )


def appointment_facts(company: str, role: str, period: Period) -> dict[str, str]:
    """The facts of an appointment by name; blank where unknown."""
    return {
        "company_number": company,
        "role": role,
        "appointed_on": period.start,
        "resigned_on": period.end,
    }
