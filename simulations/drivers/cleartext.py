"""The same comparison in plaintext: the result that a party must have, from both agencies' files and the signed terms.

Only a simulation can do this, because it has both files. It uses the keys that both nodes compiled and no part of the
protocol: no blinding, no tags, no messages.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import PreparedInputs, compile_edge, prepare_inputs
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.simulations.drivers.results import CleartextResult

Bytes2D = npt.NDArray[np.uint8]


def compare_edge(nodes: Sequence[Node], round_id: bytes, edge: str) -> CleartextResult:
    """Compare receiver's and sender's lists in plaintext, as one edge of one round did under the protocol."""
    sides = [_edge_inputs(node, round_id, edge) for node in nodes]
    keyed = [_keyed(side) for side in sides]
    matched = np.intersect1d(keyed[0][1], keyed[1][1])
    return CleartextResult(
        {
            node.agency: _references(side, elements[np.isin(values, matched)])
            for node, side, (elements, values) in zip(nodes, sides, keyed, strict=True)
        }
    )


def compare_threshold(nodes: Sequence[Node], round_id: bytes, threshold: str) -> CleartextResult:
    """Compare all members' lists in plaintext, as one threshold of one round did under the protocol."""
    sides = [_threshold_inputs(node, round_id, threshold) for node in nodes]
    keyed = [_keyed(side) for side in sides]
    values, holders = np.unique(np.concatenate([np.unique(each) for _, each in keyed]), return_counts=True)
    terms = registry.find(
        nodes[0], nodes[0].store.edge(round_id, threshold).agreement_id
    ).agreement.threshold(threshold)
    shared = values[holders >= terms.at_least]
    # Below the minimum no member learns of any.
    disclosed = shared if len(shared) >= terms.minimum_count else shared[:0]
    return CleartextResult(
        {
            node.agency: _references(side, elements[np.isin(own, disclosed)])
            for node, side, (elements, own) in zip(nodes, sides, keyed, strict=True)
        },
        len(shared),
    )


def _threshold_inputs(node: Node, round_id: bytes, threshold: str) -> PreparedInputs:
    row = node.store.edge(round_id, threshold)
    agreement = registry.find(node, row.agreement_id).agreement
    statements = node.store.statements(round_id, threshold)
    members = agreement.threshold(threshold).agencies
    agreed = threshold_inputs.compile_threshold_keys(
        agreement, row, tuple(statements[agency] for agency in members)
    )
    return threshold_inputs.prepare_inputs(node, agreement, replace(row, seed=bytes(SEED_BYTES)), agreed)


def _edge_inputs(node: Node, round_id: bytes, edge: str) -> PreparedInputs:
    row = node.store.edge(round_id, edge)
    agreement = registry.find(node, row.agreement_id).agreement
    # The seed generates dummy elements only, and these are dropped below.
    blank = replace(row, seed=bytes(SEED_BYTES))
    # A delta round uses the keys of the round that started its epoch.
    delta = node.store.find_delta(round_id, edge)
    stated = row if delta is None else node.store.edge(delta.epoch, edge)
    return prepare_inputs(node, agreement, blank, compile_edge(agreement, stated))


def _keyed(
    side: PreparedInputs,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
    """The elements without dummies, and for each its key and token as one value."""
    elements = np.flatnonzero(side.tokens.key_index != DUMMY)
    key = side.tokens.key_index[elements].astype(np.uint8).reshape(-1, 1)
    rows: Bytes2D = np.ascontiguousarray(np.concatenate([key, side.tokens.tokens[elements]], axis=1))
    return elements, rows.view(np.dtype((np.void, rows.shape[1]))).reshape(-1)


def _references(side: PreparedInputs, elements: npt.NDArray[np.int64]) -> frozenset[str]:
    records = {int(record) for element in elements.tolist() for record in side.tokens.records_of(element)}
    return frozenset(side.collection.record(int(side.selected[record])).reference for record in records)
