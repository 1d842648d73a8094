"""`bench threshold`: one threshold among several node processes, each with n elements, and a collector.

All nodes are real: their own folders and processes, the command line, mutual TLS on loopback. Records are invented; one in a hundred
is in every list. The result is checked.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.storage.config_template import add_peer
from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.threshold.share_tables import TableShape, false_mark_probability, miss_probability
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import MIB, BenchReport, Note, mib, significant, silent
from blindmatch.simulations.benchmarks.input_files import People, people_row, write_people
from blindmatch.simulations.benchmarks.nodes import (
    PASSPHRASE,
    PairTerms,
    create_nodes,
    measure_round,
    scenario,
    sign_in_process,
)
from blindmatch.simulations.benchmarks.pair import TOKENS
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.plan import plan_area

COLLECTOR: Final = "bench-collector"
THRESHOLD: Final = "bench"
TARGET_SECONDS: Final = 60.0
_COMMON: Final = 100


@dataclass(frozen=True)
class ThresholdCost:
    """The cost of one threshold. CPU seconds are user and system time; bytes are messages, without TLS."""

    members: int
    at_least: int
    elements: int
    """The number of elements of each member."""
    backend: str
    cores: int
    wall: float
    collector_cpu: float
    """The whole `round run` command, start-up included."""
    members_cpu: float
    """All members' servers together, from before the round to after it."""
    collector_peak: int
    """Bytes."""
    member_peak: int
    """The largest of all members, in bytes."""
    carried: int
    """Bytes between the collector and all members, both ways."""
    missed: float
    """The probability that a shared element is missed."""
    false: float
    """An upper bound of the probability that an element is disclosed that is not shared."""


def measure(elements: int, members: int, at_least: int, *, note: Note = silent) -> ThresholdCost:
    """Run one threshold on this machine.

    Args:
        elements: the number of each member; rounded up to a whole number of records.
        members: 2 to 10.
        at_least: 2 to `members`.
        note: receives progress messages.

    Raises:
        LocalError: a node's command failed, or the result is wrong.
    """
    records = -(-elements // TOKENS)
    common = max(1, records // _COMMON)
    names = [f"bench-member-{number}" for number in range(1, members + 1)]
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"{members} nodes with {records:,} records each, and a collector ...")
        nodes = create_nodes(folder, {COLLECTOR: "national"} | dict.fromkeys(names, "police"))
        collector, *others = nodes.values()
        for member in others:
            path = _people(folder / f"{member.agency}.csv", member.agency, records, common)
            with Node.open(member.home, PASSPHRASE) as node:
                import_collection(node, "subjects", "subjects", path)
            add_peer(collector.home / "node.toml", member.agency, member.address)
            add_peer(member.home / "node.toml", COLLECTOR, collector.address)
        agreement = sign_in_process([collector, *others], _draft(names, at_least, records))
        with serving(others):
            note("the round ...")
            cost = measure_round(collector, others, agreement)
        _check(folder, names, bytes.fromhex(cost.round_id), common)
    counts = (records * TOKENS,) * members
    shape = TableShape.of(at_least, counts)
    return ThresholdCost(
        members=members,
        at_least=at_least,
        elements=records * TOKENS,
        backend=group.backend_name(),
        cores=loop.cores(),
        wall=cost.receiver.wall,
        collector_cpu=cost.receiver.cpu,
        members_cpu=cost.sender_cpu,
        collector_peak=cost.receiver.peak,
        member_peak=cost.sender_peak,
        carried=cost.octets,
        missed=miss_probability(shape.bins, at_least * (counts[0] - 1)),
        false=false_mark_probability(shape, members, common * TOKENS),
    )


def _people(path: Path, label: str, records: int, common: int) -> Path:
    """A list whose first `common` people are in every list."""
    shared, own = People("everywhere"), People(label)
    people = chain((shared.person() for _ in range(common)), (own.person() for _ in range(records - common)))
    return write_people(path, (people_row(serial, person) for serial, person in enumerate(people)))


def _draft(names: Sequence[str], at_least: int, records: int) -> str:
    """The draft of the agreement."""
    group = {"id": THRESHOLD, "members": list(names), "at_least": at_least, "minimum": 1}
    agencies = {COLLECTOR: ("national", "")} | dict.fromkeys(names, ("police", "subjects"))
    terms = scenario(
        PairTerms(TOKENS, budget=TOKENS), agencies, {"thresholds": [group], "collector": COLLECTOR}
    )
    area = terms.areas[0]
    return draft_text(terms.terms, area, plan_area(area)[0], dict.fromkeys(names, records), time.time())


def _check(folder: Path, names: Sequence[str], round_id: bytes, common: int) -> None:
    """Check that every member has leads on the people who are in every list, and on few others.

    Raises:
        LocalError: a member has other leads.
    """
    expected = {f"N{serial:07d}" for serial in range(common)}
    for each in names:
        with Node.open(folder / each, PASSPHRASE) as node:
            leads = {lead.reference for lead in round_leads.load(node, round_id)}
        if not expected <= leads or len(leads) > 2 * common + 20:
            raise LocalError(
                f"{each} has leads on {len(leads & expected)} of {common} people, and on {len(leads - expected)} others"
            )


def measure_all(sizes: Sequence[int], members: int, at_least: int, *, note: Note = silent) -> BenchReport:
    """Measure every size."""
    return report([measure(elements, members, at_least, note=note) for elements in sizes])


def report(costs: Sequence[ThresholdCost]) -> BenchReport:
    """The table and the plot of several sizes."""
    columns: dict[str, Callable[[ThresholdCost], object]] = {
        "members": lambda cost: cost.members,
        "at least": lambda cost: cost.at_least,
        "elements each": lambda cost: cost.elements,
        "wall s": lambda cost: significant(cost.wall),
        "collector's CPU s": lambda cost: significant(cost.collector_cpu),
        "members' CPU s": lambda cost: significant(cost.members_cpu),
        "MiB carried": lambda cost: round(cost.carried / MIB, 1),
        "collector MiB": lambda cost: mib(cost.collector_peak),
        "member MiB": lambda cost: mib(cost.member_peak),
    }
    remarks = []
    for cost in costs:
        verdict = "within" if cost.wall < TARGET_SECONDS else "ABOVE"
        remarks.append(
            f"{cost.elements:,}: {verdict} {TARGET_SECONDS:.0f} s on {cost.cores} cores for all {cost.members + 1} nodes; "
            f"a shared element is missed with probability {cost.missed:.1e}, and another element is disclosed with a "
            f"probability below {cost.false:.1e}"
        )
    return BenchReport(
        "threshold",
        Axes("One threshold among several nodes", "elements of each member", "CPU seconds"),
        costs,
        columns,
        (
            Series("collector", tuple((cost.elements, cost.collector_cpu) for cost in costs)),
            Series("all members", tuple((cost.elements, cost.members_cpu) for cost in costs)),
        ),
        remarks=remarks,
    )
