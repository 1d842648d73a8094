"""A receipt is valid when every agency that must sign has signed exactly these bytes as a receipt of this kind."""

import time
from dataclasses import replace

import pytest
from tests.support.local_nodes import LocalNodes

from blindmatch.node.rounds import receipts
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.session.statements import RECEIPT_TYPE
from blindmatch.protocol.threshold import statements as threshold
from blindmatch.protocol.transcript import sign

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
PAYLOAD = b"a receipt"


@pytest.fixture
def nodes(tmp_path):
    local = LocalNodes(tmp_path, {WEST: "police", NORTH: "council", SOUTH: "council"}, time.time())
    yield local
    local.close()


@pytest.fixture
def agreement(nodes):
    return nodes.agreement(WEST, NORTH, SOUTH)


@pytest.fixture
def row(nodes):
    signatures = signed(nodes, WEST, NORTH)
    edge = EdgeRow(bytes(16), f"{WEST}-from-{NORTH}", bytes(32), "receiver", NORTH, "c", "closed", 0)
    return replace(edge, receipt=PAYLOAD, signatures=signatures)


def signed(nodes, *agencies, kind=RECEIPT_TYPE):
    """The agencies' signatures of the payload."""
    return {agency: sign(nodes.nodes[agency].keys.identity, kind, PAYLOAD).signature for agency in agencies}


def test_both_sides_signatures_make_it_valid(agreement, row):
    assert receipts.verify(agreement, row, WEST)[1]
    assert receipts.verify(agreement, replace(row, role="sender", peer=WEST), NORTH)[1]


@pytest.mark.parametrize("missing", [WEST, NORTH])
def test_a_missing_signature(agreement, row, missing):
    some = {agency: signature for agency, signature in row.signatures.items() if agency != missing}
    assert not receipts.verify(agreement, replace(row, signatures=some), WEST)[1]


def test_no_receipt(agreement, row):
    assert not receipts.verify(agreement, replace(row, receipt=b"", signatures={}), WEST)[1]


def test_altered_bytes(agreement, row):
    assert not receipts.verify(agreement, replace(row, receipt=PAYLOAD + b"."), WEST)[1]


def test_another_agencys_signature(agreement, row):
    exchanged = {WEST: row.signatures[NORTH], NORTH: row.signatures[WEST]}
    assert not receipts.verify(agreement, replace(row, signatures=exchanged), WEST)[1]


def test_an_additional_signature_must_verify_too(nodes, agreement, row):
    more = {**row.signatures, SOUTH: row.signatures[WEST]}
    assert not receipts.verify(agreement, replace(row, signatures=more), WEST)[1]
    stranger = {**row.signatures, "unknown-agency": row.signatures[WEST]}
    assert not receipts.verify(agreement, replace(row, signatures=stranger), WEST)[1]


def test_a_receipt_of_an_edge_is_none_of_a_threshold(nodes, agreement, row):
    as_threshold = replace(row, role="member", peer=NORTH)
    assert not receipts.verify(agreement, as_threshold, WEST)[1]
    signatures = signed(nodes, WEST, NORTH, kind=threshold.RECEIPT_TYPE)
    assert receipts.verify(agreement, replace(as_threshold, signatures=signatures), WEST)[1]
