"""Four nodes for trials of a threshold: two councils and a police force with common people, and a collector without any."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.agencies import agreement_between
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.agreements.registry import StoredAgreement, own_party
from blindmatch.protocol.agreement import Side, Threshold

COLLECTOR: Final = "national"
MEMBERS: Final = ("north-council", "south-council", "west-force")
RANGES: Final = {"north-council": range(30), "south-council": range(10, 40), "west-force": range(20, 50)}
"""Whom each of them has: 20 to 29 stand in all three lists, 10 to 39 in two or more."""

THRESHOLD: Final = "seen-by-many"


def threshold_nodes(folder: Path, now: float, *, ranges: Mapping[str, range] = RANGES) -> LocalNodes:
    """The nodes, with their lists imported; other people by `ranges`."""
    roles = {
        "north-council": "council",
        "south-council": "council",
        "west-force": "police",
        COLLECTOR: "national",
    }
    made = LocalNodes(folder, roles, now)
    for agency in MEMBERS:
        numbers = ranges[agency]
        rows = subjects if agency == "west-force" else people
        made.import_rows(agency, "people", _kind(agency), rows(len(numbers), first=numbers.start))
    return made


def sign_threshold(
    town: LocalNodes,
    *,
    collector: str = COLLECTOR,
    at_least: int = 3,
    minimum: int = 3,
    band: int = 1,
    **changes: Any,
) -> StoredAgreement:
    """Have everybody sign a threshold; other fields of the agreement by name."""
    sides = tuple(Side(agency, _kind(agency), 40, 8) for agency in MEMBERS)
    terms = Threshold(THRESHOLD, sides, at_least, minimum_count=minimum, band=band, leakage="as agreed")
    parties = [own_party(town.nodes[agency]) for agency in (COLLECTOR, *MEMBERS)]
    base = agreement_between(parties, (), start=int(town.now) - 60, thresholds=(terms,), collector=collector)
    return town.sign_agreement(dataclasses.replace(base, **changes))


def references_of(agency: str, numbers: set[int] | range) -> set[str]:
    """The references that an agency has for these people."""
    return {f"{'P' if agency == 'west-force' else 'S'}-{number:05d}" for number in numbers}


def _kind(agency: str) -> str:
    return "subjects" if agency == "west-force" else "suppliers"
