"""What every party of a comparison may know afterwards, from the signed agreement; the rest of the check holds nodes to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from blindmatch.protocol.agreement import Aggregate, Agreement, Edge, Threshold
from blindmatch.simulations.drivers.results import WITHHELD, DisclosedNumber


class DisclosureLevel(StrEnum):
    """How much of a comparison's outcome a party may know."""

    RECORDS = "records"  # which of its own records match
    NUMBER = "number"  # one number, in bands, or that it is under the minimum
    TALLY = "tally"  # its node counts, so that it can hold a small result back; it names nobody
    NOTHING = "nothing"


@dataclass(frozen=True)
class Declaration:
    """One party and one comparison: what the agreement lets it know of the outcome."""

    agreement: str
    """Its id, hexadecimal."""
    comparison: str
    agency: str
    role: str
    """`receiver`, `sender`, `told`, `member`, `collector`, or `party`: one with no part in the comparison."""
    knows: DisclosureLevel
    words: str
    facts: tuple[str, ...] = ()
    minimum: int = 0
    band: int = 1
    form: Literal["band", "sum", "step"] = "band"
    """How a number is told: as a band; as a sum, its addends rounded; as the step below it."""

    def tell(self, matching: int, total: int) -> DisclosedNumber:
        """What may be told of exact figures.

        Args:
            matching: records that match.
            total: for a sum, the addends, rounded already.
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
    """For every party and every comparison of an agreement."""
    found: list[Declaration] = []
    for comparison in agreement.comparisons:
        said = {
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
            found.append(said.get(agency, nothing))
    return tuple(found)


def _of_edge(edge: Edge, agreement_id: str, *, standing: bool) -> Iterator[Declaration]:
    receiver, sender = edge.receiver, edge.sender
    here = (agreement_id, edge.id)
    if edge.terms.lists_hits:
        words = f"which of its own {receiver.collection_kind} match"
        if edge.terms.facts:
            words += f"; for these {', '.join(edge.terms.facts)}"
        changed = "; how many of the other's records changed between rounds" if standing else ""
        yield Declaration(
            *here, receiver.agency, "receiver", DisclosureLevel.RECORDS, words + changed, edge.terms.facts
        )
        yield Declaration(
            *here, sender.agency, "sender", DisclosureLevel.NOTHING, "nothing of matches" + changed
        )
        return
    terms = Aggregate.of(edge)
    least, band = terms.minimum_count, terms.band
    what = f"the sum of {edge.terms.subject}" if edge.terms.reads_values else "how many match"
    steps = "" if band == 1 else f", in steps of {band:,}"
    if edge.terms.reads_values and band > 1:
        steps = f", each rounded to {band:,}"
    words = f"{what}{steps}; under {least:,} matches only that"
    form: Literal["sum", "band"] = "sum" if edge.terms.reads_values else "band"
    yield Declaration(
        *here, receiver.agency, "receiver", DisclosureLevel.NUMBER, words, minimum=least, band=band, form=form
    )
    yield Declaration(
        *here,
        sender.agency,
        "sender",
        DisclosureLevel.TALLY,
        "how many match, and not which",
        minimum=least,
        band=band,
    )
    for agency in terms.report_to:
        yield Declaration(
            *here,
            agency,
            "told",
            DisclosureLevel.NUMBER,
            f"passed on: {words}",
            minimum=least,
            band=band,
            form=form,
        )


def _of_threshold(threshold: Threshold, agreement_id: str, collector: str) -> Iterator[Declaration]:
    here = (agreement_id, threshold.id)
    least, band = threshold.minimum_count, threshold.band
    others = threshold.at_least - 1
    words = f"which of its own records at least {others} other{'s' if others > 1 else ''} hold too"
    # Later entries stand in front: a collector that is a member as well learns what a member does.
    steps = "" if band == 1 else f", in steps of {band:,}"
    told = f"how many keys at least {threshold.at_least} hold{steps}; its node: which of them hold each"
    yield Declaration(
        *here, collector, "collector", DisclosureLevel.NUMBER, told, minimum=least, band=band, form="step"
    )
    for member in threshold.agencies:
        yield Declaration(*here, member, "member", DisclosureLevel.RECORDS, words, minimum=least, band=band)
