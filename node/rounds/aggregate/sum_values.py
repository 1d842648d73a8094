"""What a sum adds up: the value of each entry of a collection, once for all the records that the entry became.

An entry is a reference: a supplier of the file and the people whom a register added to it share one, and with it the value.
"""

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import numpy.typing as npt

from blindmatch.node.agreements import bindings
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import Collection, open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import Edge, Sum
from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.limits import LIMITS

Indices = npt.NDArray[np.int64]

_DROPPED = str.maketrans("", "", "£$€ \u00a0")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")


@dataclass(frozen=True)
class EntryValues:
    """The entries of a collection's selected records, and what each counts.

    Args:
        entry_of: (records,) each record's entry, from 0.
        units: (entries,) the value in units of the band, none negative.
        missing: entries without a value; they count nothing.
        unreadable: entries whose value is no number; likewise.
        negative: entries whose value is below zero; likewise.
    """

    entry_of: Indices = field(repr=False)
    units: Indices = field(repr=False)
    missing: int
    unreadable: int
    negative: int

    @property
    def report(self) -> dict[str, int]:
        """For the operator: how many entries there are, and how many count nothing, and why."""
        return {
            "entries": len(self.units),
            "missing": self.missing,
            "unreadable": self.unreadable,
            "negative": self.negative,
        }


def read_values(collection: Collection, selected: Indices, edge: Edge) -> EntryValues:
    """Every entry's value, exactly: rounded, half away from zero, to the agreed decimals and then to the band.

    Raises:
        LocalError: no entry has such a fact, or the values together are too large for a sum.
    """
    terms = Sum.of(edge)
    numbers: dict[str, int] = {}
    texts: dict[int, str] = {}
    entry_of = np.empty(len(selected), dtype=np.int64)
    for place, record in enumerate(selected.tolist()):
        info = collection.record(record)
        entry = numbers.setdefault(info.reference, len(numbers))
        entry_of[place] = entry
        if text := info.facts.get(terms.value, "").strip():
            texts.setdefault(entry, text)
    if not texts:
        raise LocalError(
            f"no record of {collection.name} has the fact {terms.value}",
            hint=f"Import the collection with --fact {terms.value}, or agree on another value.",
        )
    units = np.zeros(len(numbers), dtype=np.int64)
    unreadable = negative = total = 0
    for entry, text in texts.items():
        number = parse(text, terms.decimals)
        if number is None:
            unreadable += 1
        elif number < 0:
            negative += 1
        else:
            rounded = (2 * number + terms.band) // (2 * terms.band)
            total += rounded * terms.band
            if total >= LIMITS.sum_total:
                raise LocalError(
                    f"the values of {collection.name} together are too large for a sum",
                    hint="Agree on fewer decimals, or contribute fewer records.",
                )
            units[entry] = rounded
    return EntryValues(entry_of, units, len(numbers) - len(texts), unreadable, negative)


def collection_for(node: Node, held: StoredAgreement, edge_id: str) -> CollectionRow:
    """This node's collection for a sum; the sender's values are checked before the round starts.

    Raises:
        AgreementError, ConfigError: see `bindings.collection_for`.
        LocalError: see `read_values`.
    """
    row, edge = bindings.collection_for(node, held, edge_id), held.agreement.edge(edge_id)
    if edge.sender.agency == node.agency:
        collection = open_collection(node, row.id)
        read_values(collection, collection.select(held.agreement.handling_codes), edge)
    return row


def parse(text: str, decimals: int) -> int | None:
    """An amount such as `£1,234.50` in units of 10^-decimals; None for a text that is not a number."""
    text = text.translate(_DROPPED)
    if "," in text:
        # Perhaps a decimal comma: an amount a hundred times too large would be worse than none.
        if not _GROUPED.fullmatch(text):
            return None
        text = text.replace(",", "")
    try:
        number = Decimal(text)
        scaled = number.scaleb(decimals).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    except (ArithmeticError, ValueError):
        return None
    return int(scaled) if scaled.is_finite() else None
