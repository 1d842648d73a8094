"""`bench threshold`: one threshold among several node processes, each with n elements, and a collector.

All nodes are real: their own folders and processes, the command line, mutual TLS on loopback. Records are invented; one in a hundred
is in every list. The result is checked.
"""

import csv
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.storage.config_template import add_peer
from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.threshold.share_tables import TableShape, false_marks, missed
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import BenchReport, mib, significant
from blindmatch.simulations.benchmarks.input_files import People
from blindmatch.simulations.benchmarks.nodes import (
    PASSPHRASE,
    PairTerms,
    create_nodes,
    scenario,
    sign_in_process,
)
from blindmatch.simulations.benchmarks.pair import MIB, TOKENS
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.benchmarks.process_cost import ProcessCost, command, killed_on_exit
from blindmatch.simulations.drivers.node_process import cpu_seconds, peak_bytes, serving
from blindmatch.simulations.scenario.drafts import draft_text
from blindmatch.simulations.scenario.plan import plan_area

COLLECTOR: Final = "bench-collector"
THRESHOLD: Final = "bench"
TARGET_SECONDS: Final = 60.0
_COMMON: Final = 100
_COLUMNS: Final = ("reference", "forenames", "surname", "date_of_birth", "postcode", "handling_code")


@dataclass(frozen=True)
class ThresholdCost:
    """What one threshold cost. Seconds of CPU are user and system together; bytes are messages, without TLS."""

    members: int
    at_least: int
    elements: int
    """Of each member."""
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
    """The largest."""
    carried: int
    """Bytes between the collector and all members, both ways."""
    missed: float
    """The probability that a shared element is missed."""
    false: float
    """A bound on the probability that an element is told which is not shared."""


def measure(
    elements: int, members: int, at_least: int, *, note: Callable[[str], None] = lambda _text: None
) -> ThresholdCost:
    """Run one threshold on this machine.

    Args:
        elements: of each member; rounded up to a whole number of records.
        members: 2 to 10.
        at_least: 2 to `members`.
        note: told what happens.

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
            servers = [node.server.pid for node in others if node.server is not None]
            note("the round ...")
            before = sum(map(cpu_seconds, servers))
            run = command(collector, "round", "run", agreement, "--json")
            with killed_on_exit([run]):
                spent: ProcessCost = run.wait()
            members_cpu = sum(map(cpu_seconds, servers)) - before
            member_peak = max(map(peak_bytes, servers))
        outcome = json.loads(run.output)
        _check(folder, names, bytes.fromhex(outcome["round"]), common)
    edge = outcome["edges"][0]
    counts = (records * TOKENS,) * members
    shape = TableShape.of(at_least, counts)
    return ThresholdCost(
        members=members,
        at_least=at_least,
        elements=records * TOKENS,
        backend=group.backend_name(),
        cores=loop.cores(),
        wall=spent.wall,
        collector_cpu=spent.cpu,
        members_cpu=members_cpu,
        collector_peak=spent.peak,
        member_peak=member_peak,
        carried=int(edge["sent_bytes"]) + int(edge["received_bytes"]),
        missed=missed(shape.bins, at_least * (counts[0] - 1)),
        false=false_marks(shape, members, common * TOKENS),
    )


def _people(path: Path, label: str, records: int, common: int) -> Path:
    """A list of which the first people are in every list."""
    shared, own = People("everywhere"), People(label)
    people = chain((shared.person() for _ in range(common)), (own.person() for _ in range(records - common)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for serial, made in enumerate(people):
            born = "{}-{:02d}-{:02d}".format(*made["born"])
            writer.writerow(
                (f"N{serial:07d}", made["forenames"], made["surname"], born, made["postcode"], "P")
            )
    return path


def _draft(names: Sequence[str], at_least: int, records: int) -> str:
    """The agreement that is measured, as an officer would write it."""
    joint = {"id": THRESHOLD, "members": list(names), "at_least": at_least, "minimum": 1}
    agencies = {COLLECTOR: ("national", "")} | dict.fromkeys(names, ("police", "subjects"))
    terms = scenario(
        PairTerms(TOKENS, budget=TOKENS), agencies, {"thresholds": [joint], "collector": COLLECTOR}
    )
    area = terms.areas[0]
    return draft_text(terms.terms, area, plan_area(area)[0], dict.fromkeys(names, records), time.time())


def _check(folder: Path, names: Sequence[str], round_id: bytes, common: int) -> None:
    """Every member found the people who are in every list, and hardly anybody else.

    Raises:
        LocalError: it did not.
    """
    expected = {f"N{serial:07d}" for serial in range(common)}
    for each in names:
        with Node.open(folder / each, PASSPHRASE) as node:
            found = {lead.reference for lead in round_leads.load(node, round_id)}
        if not expected <= found or len(found) > 2 * common + 20:
            raise LocalError(
                f"{each} was told of {len(found & expected)} of {common} people, and of {len(found - expected)} others"
            )


def measure_all(
    sizes: Sequence[int], members: int, at_least: int, *, note: Callable[[str], None] = lambda _text: None
) -> BenchReport:
    """Every size, one after the other."""
    return report([measure(elements, members, at_least, note=note) for elements in sizes])


def report(costs: Sequence[ThresholdCost]) -> BenchReport:
    """The table and the plot of several sizes."""
    columns = (
        "members",
        "at least",
        "elements each",
        "wall s",
        "collector's CPU s",
        "members' CPU s",
        "MiB carried",
        "collector MiB",
        "member MiB",
    )
    rows = [
        (
            cost.members,
            cost.at_least,
            cost.elements,
            significant(cost.wall),
            significant(cost.collector_cpu),
            significant(cost.members_cpu),
            round(cost.carried / MIB, 1),
            mib(cost.collector_peak),
            mib(cost.member_peak),
        )
        for cost in costs
    ]
    remarks = []
    for cost in costs:
        verdict = "within" if cost.wall < TARGET_SECONDS else "ABOVE"
        remarks.append(
            f"{cost.elements:,}: {verdict} {TARGET_SECONDS:.0f} s on {cost.cores} cores for all {cost.members + 1} nodes; "
            f"a shared element is missed with probability {cost.missed:.1e}, one that is not is told with less than {cost.false:.1e}"
        )
    series = (
        Series("collector", tuple((cost.elements, cost.collector_cpu) for cost in costs)),
        Series("all members", tuple((cost.elements, cost.members_cpu) for cost in costs)),
    )
    return BenchReport(
        "threshold",
        Axes("One threshold among several nodes", "elements of each member", "CPU seconds"),
        columns,
        tuple(rows),
        series,
        tuple(asdict(cost) for cost in costs),
        tuple(remarks),
    )
