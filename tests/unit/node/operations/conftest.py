"""Two real nodes in this process, for operations to work on."""

import json
import time

import pytest
from tests.support.local_nodes import LocalNodes, people, subjects

WEST, NORTH = "west-force", "north-council"


@pytest.fixture
def town(tmp_path):
    """A police node with 12 subjects and a council's with 10 suppliers; 4 people are on both lists."""
    nodes = LocalNodes(tmp_path, {WEST: "police", NORTH: "council"}, time.time())
    nodes.import_rows(WEST, "groups", "subjects", subjects(12))
    nodes.import_rows(NORTH, "suppliers", "suppliers", people(10, first=8), facts=["contract_value"])
    yield nodes
    nodes.close()


@pytest.fixture
def entries(town):
    """The audit entries of a node that a test has added: event, subject, recipient, justification, detail."""
    start = {agency: len(list(node.store.audit_rows())) for agency, node in town.nodes.items()}

    def read(agency):
        rows = list(town.nodes[agency].store.audit_rows())[start[agency] :]
        return [(r.event, r.subject, r.recipient, r.justification, json.loads(r.detail)) for r in rows]

    return read
