"""Real nodes for this level. `tls` comes first: it fixes the least TLS version before anything imports gRPC."""

import time

import pytest
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.pki import tls

assert tls.CIPHERS_BELOW_TLS13


@pytest.fixture
def town(tmp_path):
    """A police node and two councils' nodes; the north's suppliers are compared, the south is a bystander."""
    made = LocalNodes(
        tmp_path,
        {"west-force": "police", "north-council": "council", "south-council": "council"},
        time.time(),
    )
    made.import_rows("west-force", "groups", "subjects", subjects(10))
    made.import_rows("north-council", "suppliers", "suppliers", people(10, first=5), facts=["contract_value"])
    yield made
    made.close()
