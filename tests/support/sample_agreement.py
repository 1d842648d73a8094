"""One agreement between a police force and two councils, for tests of agreements without nodes."""

from tests.support.agencies import Agency, agreement_between, edge_between

from blindmatch.protocol.agreement import (
    Agreement,
)

START = 1_800_000_000


FORCE, EAST, SOUTH = Agency("west-force", "police"), Agency("east-council"), Agency("south-council")


EVERYONE = (FORCE, EAST, SOUTH)


def sample_agreement() -> Agreement:
    """Two edges, on which the force learns hits from each council."""
    edges = [edge_between("west-force", "east-council"), edge_between("west-force", "south-council")]
    return agreement_between([agency.party() for agency in EVERYONE], edges, start=START)
