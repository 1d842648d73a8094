"""The values of a sum: one for each entry of a collection, however many records the entry gave.

An entry is a reference: a supplier of the file and the people whom a register added to it have the same reference, and one value.
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
    """The entries of a collection's selected records, and the value of each.

    Args:
        entry_of: (records,) each record's entry, from 0.
        units: (entries,) the value in units of the band, none negative.
        missing: the number of entries without a value; they contribute 0.
        unreadable: of entries whose value is not a number; they contribute 0.
        negative: of entries whose value is below zero; they contribute 0.
    """

    entry_of: Indices = field(repr=False)
    units: Indices = field(repr=False)
    missing: int
    unreadable: int
    negative: int

    @property
    def counts(self) -> dict[str, int]:
        """For the operator: the number of entries, and of those that contribute 0, by reason."""
        return {
            "entries": len(self.units),
            "missing": self.missing,
            "unreadable": self.unreadable,
            "negative": self.negative,
        }


def read_values(collection: Collection, selected: Indices, edge: Edge) -> EntryValues:
    """Every entry's value in exact arithmetic, rounded half away from zero to the agreed decimals, and then to the band.

    Raises:
        LocalError: no entry has such a fact, or the values together are too large for a sum.
    """
    terms = Sum.of(edge)
    entries: dict[str, int] = {}
    texts: dict[int, str] = {}
    entry_of = np.empty(len(selected), dtype=np.int64)
    for place, record in enumerate(selected.tolist()):
        info = collection.record(record)
        entry = entries.setdefault(info.reference, len(entries))
        entry_of[place] = entry
        if text := info.facts.get(terms.value, "").strip():
            texts.setdefault(entry, text)
    if not texts:
        raise LocalError(
            f"no record of {collection.name} has the fact {terms.value}",
            hint=f"Import the collection with --fact {terms.value}, or agree on another value.",
        )
    units = np.zeros(len(entries), dtype=np.int64)
    unreadable = negative = total = 0
    for entry, text in texts.items():
        number = parse_amount(text, terms.decimals)
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
    return EntryValues(entry_of, units, len(entries) - len(texts), unreadable, negative)


def collection_for(node: Node, stored: StoredAgreement, edge_id: str) -> CollectionRow:
    """This node's collection for a sum; the sender's values are checked before the round starts.

    Raises:
        AgreementError, ConfigError: see `bindings.collection_for`.
        LocalError: see `read_values`.
    """
    row, edge = bindings.collection_for(node, stored, edge_id), stored.agreement.edge(edge_id)
    if edge.sender.agency == node.agency:
        collection = open_collection(node, row.id)
        read_values(collection, collection.select(stored.agreement.handling_codes), edge)
    return row


def parse_amount(text: str, decimals: int) -> int | None:
    """An amount such as `£1,234.50` in units of 10^-decimals; None if it is not a number."""
    text = text.translate(_DROPPED)
    if "," in text:
        # The comma may be a decimal comma: to omit the amount is better than to read it a hundredfold.
        if not _GROUPED.fullmatch(text):
            return None
        text = text.replace(",", "")
    try:
        scaled = Decimal(text).scaleb(decimals).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    except (ArithmeticError, ValueError):
        return None
    return int(scaled) if scaled.is_finite() else None
