"""Real nodes for this level. `tls` comes first: it fixes the least TLS version before anything imports gRPC."""

from contextlib import closing

import pytest
from tests.support.cheap_keys import use_cheap_keys
from tests.support.crashing_programs import Programs
from tests.support.forked_processes import Template
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.pki import tls
from blindmatch.simulations.drivers import node_process

assert tls.CIPHERS_BELOW_TLS13


def two_lists(folder, now):
    """A police node with 40 subjects, and a council's with 50 suppliers, of whom 20 are subjects."""
    nodes = LocalNodes(
        folder, {"west-force": "police", "north-council": "council", "south-council": "council"}, now
    )
    nodes.import_rows("west-force", "groups", "subjects", subjects(40))
    nodes.import_rows(
        "north-council", "suppliers", "suppliers", people(50, first=20), facts=["contract_value"]
    )
    return nodes


@pytest.fixture
def town(node_templates, tmp_path):
    """See `two_lists`."""
    with closing(node_templates.copy(two_lists, tmp_path)) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def process_template(node_templates):
    """The process that forks the others; they share compiled keys, too."""
    template = Template()
    yield template
    template.close()


@pytest.fixture(scope="module")
def forked_nodes(process_template):
    """Simulations' nodes as real processes that the template forks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_process, "subprocess", process_template.as_subprocess_module())
        yield


@pytest.fixture(scope="module", autouse=True)
def cheap_keys():
    """See `tests.support.cheap_keys`."""
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_keys(patch)
        yield


@pytest.fixture
def programs(process_template):
    """How to start real processes that run or serve edges."""
    return Programs(process_template)
