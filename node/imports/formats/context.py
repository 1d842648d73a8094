"""What every reader of a file is given and counts (`ReadContext`), and the companies that a register is searched for."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from blindmatch.node.imports.formats.blank_values import PLACEHOLDER, implausible_birth, placeholders
from blindmatch.node.imports.formats.field_values import (
    UNKNOWN_DATES,
    Check,
    accept_any,
    address_part,
    checked_value,
    partial_value,
)
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.formats.record_drafts import Part

UNKNOWN = "unknown"


class Period(NamedTuple):
    """A period in ISO dates of one to three parts (`YYYY`, `YYYY-MM`, `YYYY-MM-DD`); a blank end is unknown or open."""

    start: str = ""
    end: str = ""

    @property
    def text(self) -> str:
        """`2019-04-01 to 2022-01-31`, or blank when both ends are blank."""
        return f"{self.start or UNKNOWN} to {self.end or 'now'}" if self.start or self.end else ""


UNKNOWN_PERIOD = Period()


@dataclass(slots=True)
class SourceRecord:
    """A record of the imported file that names a company: the company's people inherit these attributes."""

    reference: str = field(repr=False)
    handling: str
    facts: Mapping[str, str] = field(repr=False)
    row: int
    contract: Period = UNKNOWN_PERIOD
    via: str = ""
    """The number of the company that this company is an officer or holder of; blank where the record names it itself."""


CompanyLookup = Mapping[str, Sequence[SourceRecord]]
"""Canonical company number to the records that name the company."""


@dataclass
class ReadContext:
    """Options of one pass over files, and what the readers count during it."""

    check: Check = accept_any
    """Why the linkage schema cannot use a value."""
    include_ceased: bool = False
    """Read appointments, control and interests that have ended, too."""
    progress: Progress | None = None
    today: str = ""
    """`YYYY-MM-DD`, for dates of birth and end dates; blank for no limit, and for every end date to have passed."""

    warnings: Counter[str] = field(default_factory=Counter)
    """Observations that are not faults, and how often each occurred."""
    lines: int = 0
    people: int = 0
    companies: set[str] = field(default_factory=set, repr=False)
    """Numbers of the looked-up companies that a register names."""
    ceased: int = 0
    corporate: int = 0
    follow: dict[str, list[SourceRecord]] = field(default_factory=dict, repr=False)
    """Companies that serve or control a looked-up one, to be looked up in turn."""

    def usable(self, name: str, texts: Iterable[str], owner: str) -> list[str]:
        """The distinct values that the schema can use. Others are counted as warnings and reduced to their valid part.

        For published data, which the agency cannot correct.

        Args:
            name: the field.
            texts: the values as they are written.
            owner: whose values they are, for the warning: `suppliers`.
        """
        values: dict[str, None] = {}
        for text in texts:
            if text.strip() in placeholders(name):
                self.warnings[PLACEHOLDER] += 1
                continue
            value, reason = checked_value(name, text, self.check)
            if (
                name == "date_of_birth"
                and self.today
                and (reason in UNKNOWN_DATES or implausible_birth(value, self.today))
            ):
                self.warnings[
                    f"{owner} with a date of birth in the future or more than 120 years ago, which was left out"
                ] += 1
                continue
            if reason:
                value, stored = partial_value(name, text, self.check)
                if name == "date_of_birth" and len(value) == len("YYYY"):
                    value = stored = (
                        ""  # registers give year and month: no key matches a person by a year alone
                    )
                consequence = f" (stored: {stored})" if stored else ", which was left out"
                self.warnings[f"{owner} with an invalid {name.replace('_', ' ')}{consequence}"] += 1
            if value:
                values[value] = None
        return list(values)

    def part(self, name: str, texts: Iterable[str], owner: str) -> Part:
        """The usable values of a field as alternatives of a record."""
        return [{name: value} for value in self.usable(name, texts, owner)]

    def address(self, owner: str, **texts: Sequence[str]) -> Part:
        """The usable values of `address`, `town` and `postcode` as alternatives of a record."""
        return address_part(
            *(self.usable(name, texts.get(name, ()), owner) for name in ("address", "town", "postcode"))
        )
