"""What the signed agreement allows every party to know after a comparison; the rest of the audit compares nodes with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from blindmatch.protocol.agreement import Aggregate, Agreement, Edge, Threshold
from blindmatch.simulations.drivers.results import WITHHELD, DisclosedNumber


class DisclosureLevel(StrEnum):
    """How much of a comparison's outcome a party may know."""

    RECORDS = "records"  # which of its own records match
    NUMBER = "number"  # one number, in bands, or that it is under the minimum
    TALLY = "tally"  # its node counts, so that it can withhold a small result; it identifies no record
    NOTHING = "nothing"


@dataclass(frozen=True)
class Declaration:
    """What the agreement lets one party know of the outcome of one comparison."""

    agreement: str
    """The agreement's id, hexadecimal."""
    comparison: str
    agency: str
    role: str
    """`receiver`, `sender`, `recipient` (of a reported number), `member`, `collector`, or `party`: without a part in the comparison."""
    level: DisclosureLevel
    words: str
    facts: tuple[str, ...] = ()
    minimum: int = 0
    band: int = 1
    form: Literal["band", "sum", "step"] = "band"
    """How a number is disclosed: as a band; as a sum of rounded values; as the step below it."""

    def disclose(self, matching: int, total: int) -> DisclosedNumber:
        """The number that may be disclosed for exact figures.

        Args:
            matching: records that match.
            total: for a sum, the sum of the rounded values.
        """
        if matching < self.minimum:
            return WITHHELD
        if self.form == "sum":
            return DisclosedNumber(True, total, total)
        low = matching // self.band * self.band
        if self.form == "step":
            return DisclosedNumber(True, low, low)
        return DisclosedNumber(True, max(low, self.minimum), low + self.band - 1)


def declarations(agreement: Agreement, agreement_id: str) -> tuple[Declaration, ...]:
    """One declaration for every party and every comparison of an agreement."""
    result: list[Declaration] = []
    for comparison in agreement.comparisons:
        parts = {
            each.agency: each
            for each in (
                _of_edge(comparison, agreement_id, standing=agreement.standing is not None)
                if isinstance(comparison, Edge)
                else _of_threshold(comparison, agreement_id, agreement.collector)
            )
        }
        for agency in agreement.agencies:
            nothing = Declaration(
                agreement_id,
                comparison.id,
                agency,
                "party",
                DisclosureLevel.NOTHING,
                "that it is agreed; nothing else",
            )
            result.append(parts.get(agency, nothing))
    return tuple(result)


def _of_edge(edge: Edge, agreement_id: str, *, standing: bool) -> Iterator[Declaration]:
    receiver, sender = edge.receiver.agency, edge.sender.agency
    here = (agreement_id, edge.id)
    if edge.terms.lists_hits:
        facts = edge.terms.facts
        words = f"which of its own {edge.receiver.collection_kind} match"
        if facts:
            words += f"; for these {', '.join(facts)}"
        changed = "; how many of the other's records changed between rounds" if standing else ""
        yield Declaration(*here, receiver, "receiver", DisclosureLevel.RECORDS, words + changed, facts=facts)
        yield Declaration(*here, sender, "sender", DisclosureLevel.NOTHING, "nothing about matches" + changed)
        return
    terms = Aggregate.of(edge)
    form: Literal["sum", "band"] = "sum" if edge.terms.reads_values else "band"
    what = f"the sum of {edge.terms.subject}" if form == "sum" else "how many match"
    steps = "" if terms.band == 1 else f", in steps of {terms.band:,}"
    if steps and form == "sum":
        steps = f", each rounded to {terms.band:,}"
    words = f"{what}{steps}; under {terms.minimum_count:,} matches only that"
    roles = {receiver: ("receiver", words)} | dict.fromkeys(
        terms.report_to, ("recipient", f"reported: {words}")
    )
    limits: dict[str, Any] = {"minimum": terms.minimum_count, "band": terms.band}
    for agency, (role, text) in roles.items():
        yield Declaration(*here, agency, role, DisclosureLevel.NUMBER, text, form=form, **limits)
    yield Declaration(
        *here, sender, "sender", DisclosureLevel.TALLY, "how many match, and not which", **limits
    )


def _of_threshold(threshold: Threshold, agreement_id: str, collector: str) -> Iterator[Declaration]:
    here = (agreement_id, threshold.id)
    limits: dict[str, Any] = {"minimum": threshold.minimum_count, "band": threshold.band}
    steps = "" if threshold.band == 1 else f", in steps of {threshold.band:,}"
    number = f"how many keys at least {threshold.at_least} hold{steps}; its node: which of them hold each"
    yield Declaration(*here, collector, "collector", DisclosureLevel.NUMBER, number, form="step", **limits)
    others = threshold.at_least - 1
    words = f"which of its own records at least {others} other{'s' if others > 1 else ''} hold too"
    # The later entry of an agency counts: a collector that is a member as well learns what a member does.
    for member in threshold.agencies:
        yield Declaration(*here, member, "member", DisclosureLevel.RECORDS, words, **limits)
