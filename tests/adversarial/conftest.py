"""Real nodes for this level. `tls` comes first: it fixes the least TLS version before anything imports gRPC."""

from contextlib import closing

import pytest
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.pki import tls

assert tls.CIPHERS_BELOW_TLS13


def two_short_lists(folder, now):
    """A police node and two councils' nodes; the north's suppliers are compared, the south is a bystander."""
    nodes = LocalNodes(
        folder, {"west-force": "police", "north-council": "council", "south-council": "council"}, now
    )
    nodes.import_rows("west-force", "groups", "subjects", subjects(10))
    nodes.import_rows(
        "north-council", "suppliers", "suppliers", people(10, first=5), facts=["contract_value"]
    )
    return nodes


@pytest.fixture
def town(node_templates, tmp_path):
    """See `two_short_lists`."""
    with closing(node_templates.copy(two_short_lists, tmp_path)) as nodes:
        yield nodes
