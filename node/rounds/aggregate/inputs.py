"""The inputs of an edge that discloses a number: tokens in groups, each occurrence of a token with a blind of its own."""

from itertools import count

import numpy as np

from blindmatch.node.rounds.aggregate.sum_values import EntryValues, read_values
from blindmatch.node.rounds.inputs import CompiledEdge, PreparedInputs
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.aggregate.messages import COPIES, AggregateInputs
from blindmatch.protocol.agreement import Disclosure, Edge
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage import AllocateRows, Elements
from blindmatch.protocol.linkage import token_groups as grouping
from blindmatch.protocol.session.states import Role

MOST_PEOPLE = 16
"""The people of an entry whose tokens all enter; of an entry with more people, the weakest keys of each are left out. Every entry is
padded to the largest, so that one company with a hundred officers would make every entry as large."""


def prepare_inputs(
    inputs: PreparedInputs,
    agreed: CompiledEdge,
    edge: Edge,
    row: EdgeRow,
    *,
    limits: Limits,
    allocate: AllocateRows,
) -> tuple[AggregateInputs, dict[str, int]]:
    """This side's elements in groups, and a report for its operator: how many tokens or values do not count.

    Raises:
        LocalError: see `read_values`.
    """
    expander, calls = Expander(row.seed), count()

    def random(size: int) -> bytes:
        return expander.stream("group-fillers", next(calls), size)

    try:
        if edge.disclosure is Disclosure.COUNT and Role(row.role) is Role.RECEIVER:
            copies = grouping.occurrences(inputs.tokens, COPIES, random)
            size = inputs.tokens.tokens_per_record
            grouped = AggregateInputs(inputs.elements, size, copies.copies, copies.copy_of)
            return grouped, {"left_out": copies.left_out}
        if edge.disclosure is Disclosure.SUM and Role(row.role) is Role.SENDER:
            values = read_values(inputs.collection, inputs.selected, edge)
            entries = grouping.entries(
                inputs.tokens,
                values.entry_of,
                len(values.units),
                random,
                most_copies=COPIES,
                most_each=min(limits.chunk_elements, MOST_PEOPLE * inputs.tokens.tokens_per_record),
                most_tokens=edge.sender.max_elements,
                allocate=allocate,
            )
            return _entries(agreed, entries, values)
        return AggregateInputs(inputs.elements), {}
    finally:
        expander.wipe()


def _entries(
    agreed: CompiledEdge, entries: grouping.Entries, values: EntryValues
) -> tuple[AggregateInputs, dict[str, int]]:
    units = np.zeros(entries.tokens.records, dtype=np.int64)
    np.add.at(units, entries.entry_of, values.units)
    grouped = AggregateInputs(
        Elements(agreed.compiled, entries.tokens),
        entries.tokens.tokens_per_record,
        entries.copies,
        values=units,
    )
    return grouped, {**values.counts, "left_out": entries.left_out}
