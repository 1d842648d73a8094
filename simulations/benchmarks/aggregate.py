"""`bench number`: a count and a sum of n by n elements between two node processes, beside a round of hits and the bare loop.

The nodes, lists and loop of `bench pair`. Three agreements over the same two collections: hits, a count, a sum over one entry per
record. The minimum is out of reach, so that both numbers are withheld: a round costs the same whatever matches, but for finding a sum.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import BenchReport, mib, significant
from blindmatch.simulations.benchmarks.nodes import PairTerms, deploy
from blindmatch.simulations.benchmarks.pair import TOKENS, RoundCost, run_round, write_inputs
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving

DISCLOSURES = {
    "hits": 'disclosure = "hits"',
    "count": 'disclosure = "count"\nminimum_count = 1000000\nband = 10',
    "sum": 'disclosure = "sum"\nminimum_count = 1000000\nband = 1\nvalue = "contract_value"\ndecimals = 2',
}


@dataclass(frozen=True)
class AggregateCost:
    """What one round of one disclosure cost. Seconds of CPU are user and system of both sides; bytes are messages."""

    disclosure: str
    elements: int
    """On each side; a sum pads the sender's further."""
    padded: int
    """Elements of the sender after padding."""
    backend: str
    cpu: float
    wall: float
    receiver_peak: int
    """Bytes."""
    sender_peak: int
    bytes: int
    hits_cpu: float
    """Of the round of hits over the same lists."""
    loop_cpu: float

    @property
    def derived(self) -> dict[str, Any]:
        """Figures that follow from the others, for --json."""
        return {
            "ratio_to_hits": round(self.cpu / self.hits_cpu, 3),
            "ratio_to_loop": round(self.cpu / self.loop_cpu, 3),
            "bytes_per_element": round(self.bytes / self.elements, 1),
        }


def measure(elements: int, *, note: Callable[[str], None] = lambda _text: None) -> list[AggregateCost]:
    """Run a round of each disclosure, and the bare loop before and after.

    Args:
        elements: on each side; rounded up to a whole number of records.
        note: told what happens.

    Raises:
        LocalError: a node's command failed, or a round told what it should not.
    """
    records = -(-elements // TOKENS)
    elements = records * TOKENS
    rounds: dict[str, RoundCost] = {}
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"two nodes with {records:,} records each ...")
        people, suppliers = write_inputs(folder, records)
        pair = deploy(folder, PairTerms(TOKENS, budget=TOKENS))
        pair.introduce()
        pair.police.run("collection", "import", str(people), "--kind", "subjects")
        pair.council.run(
            "collection", "import", str(suppliers), "--kind", "suppliers", "--fact", "contract_value"
        )
        first = loop.measure(elements // 2)
        with serving([pair.police, pair.council]):
            for disclosure, lines in DISCLOSURES.items():
                note(f"the round of {disclosure} ...")
                done = rounds[disclosure] = run_round(pair, pair.agree(records, lines))
                if disclosure != "hits" and not done.edge["number"].startswith("withheld"):
                    raise LocalError(f"the {disclosure} told a number below its minimum")
        second = loop.measure(elements - elements // 2)
    return [
        AggregateCost(
            disclosure=disclosure,
            elements=elements,
            padded=int(done.edge["sender_elements"]),
            backend=group.backend_name(),
            cpu=done.cpu,
            wall=done.receiver.wall,
            receiver_peak=done.receiver.peak,
            sender_peak=done.sender_peak,
            bytes=int(done.edge["sent_bytes"]) + int(done.edge["received_bytes"]),
            hits_cpu=rounds["hits"].cpu,
            loop_cpu=first.cpu + second.cpu,
        )
        for disclosure, done in rounds.items()
    ]


def measure_all(sizes: Sequence[int], *, note: Callable[[str], None] = lambda _text: None) -> BenchReport:
    """Measure every size."""
    return report([cost for elements in sizes for cost in measure(elements, note=note)])


def report(costs: Sequence[AggregateCost]) -> BenchReport:
    """The table and the plot."""
    columns = (
        "elements",
        "disclosure",
        "sender's, padded",
        "wall s",
        "CPU s",
        "per hits round",
        "per bare loop",
        "bytes each",
        "receiver MiB",
        "sender MiB",
    )
    rows = [
        (
            cost.elements,
            cost.disclosure,
            cost.padded,
            significant(cost.wall),
            significant(cost.cpu),
            cost.derived["ratio_to_hits"],
            cost.derived["ratio_to_loop"],
            cost.derived["bytes_per_element"],
            mib(cost.receiver_peak),
            mib(cost.sender_peak),
        )
        for cost in costs
    ]
    series = tuple(
        Series(name, tuple((cost.elements, cost.cpu) for cost in costs if cost.disclosure == name))
        for name in DISCLOSURES
    )
    return BenchReport(
        "number",
        Axes("A count and a sum between two nodes", "elements on each side", "CPU seconds of both sides"),
        columns,
        tuple(rows),
        series,
        tuple(asdict(cost) | cost.derived for cost in costs),
        ("CPU from the start of `round run` to its end: about a second on both sides is start-up",),
    )
