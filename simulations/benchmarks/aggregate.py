"""`bench number`: a count and a sum of n by n elements between two node processes, beside a round of hits and the bare loop.

The nodes, lists and loop are those of `bench pair`. There are three agreements over the same two collections: hits, a count, and
a sum over one entry per record. The minimum is out of reach, so both numbers are withheld: a round costs the same regardless of
matches, except for the recovery of a sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, mib, significant, silent
from blindmatch.simulations.benchmarks.nodes import RoundCost, temporary_pair
from blindmatch.simulations.benchmarks.pair import TOKENS, write_lists
from blindmatch.simulations.benchmarks.plot import Axes, series_by
from blindmatch.simulations.drivers.node_process import serving

DISCLOSURES = {
    "hits": 'disclosure = "hits"',
    "count": 'disclosure = "count"\nminimum_count = 1000000\nband = 10',
    "sum": 'disclosure = "sum"\nminimum_count = 1000000\nband = 1\nvalue = "contract_value"\ndecimals = 2',
}


@dataclass(frozen=True)
class AggregateCost:
    """The cost of one round of one disclosure. CPU seconds are user and system time of both sides; bytes are messages."""

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
        """Derived figures for --json."""
        return {
            "ratio_to_hits": round(self.cpu / self.hits_cpu, 3),
            "ratio_to_loop": round(self.cpu / self.loop_cpu, 3),
            "bytes_per_element": round(self.bytes / self.elements, 1),
        }


def measure(elements: int, *, note: Note = silent) -> list[AggregateCost]:
    """Run a round of each disclosure, and the bare loop before and after.

    Args:
        elements: on each side; rounded up to a whole number of records.
        note: receives progress messages.

    Raises:
        LocalError: a node's command failed, or a round disclosed a number below its minimum.
    """
    records = -(-elements // TOKENS)
    elements = records * TOKENS
    rounds: dict[str, RoundCost] = {}
    note(f"two nodes with {records:,} records each ...")
    with temporary_pair(TOKENS) as pair:
        pair.import_lists(*write_lists(pair.folder, records), "--fact", "contract_value")
        first = loop.measure(elements // 2)
        with serving([pair.police, pair.council]):
            for disclosure, lines in DISCLOSURES.items():
                note(f"the round of {disclosure} ...")
                cost = rounds[disclosure] = pair.run_round(pair.agree(records, lines))
                if disclosure != "hits" and not cost.edge["number"].startswith("withheld"):
                    raise LocalError(f"the {disclosure} disclosed a number below its minimum")
        second = loop.measure(elements - elements // 2)
    return [
        AggregateCost(
            disclosure=disclosure,
            elements=elements,
            padded=int(cost.edge["sender_elements"]),
            backend=group.backend_name(),
            cpu=cost.cpu,
            wall=cost.receiver.wall,
            receiver_peak=cost.receiver.peak,
            sender_peak=cost.sender_peak,
            bytes=cost.octets,
            hits_cpu=rounds["hits"].cpu,
            loop_cpu=first.cpu + second.cpu,
        )
        for disclosure, cost in rounds.items()
    ]


def measure_all(sizes: Sequence[int], *, note: Note = silent) -> BenchReport:
    """Measure every size."""
    return report([cost for elements in sizes for cost in measure(elements, note=note)])


def report(costs: Sequence[AggregateCost]) -> BenchReport:
    """The table and the plot."""
    columns: dict[str, Callable[[AggregateCost], object]] = {
        "elements": lambda cost: cost.elements,
        "disclosure": lambda cost: cost.disclosure,
        "sender's, padded": lambda cost: cost.padded,
        "wall s": lambda cost: significant(cost.wall),
        "CPU s": lambda cost: significant(cost.cpu),
        "per hits round": lambda cost: cost.derived["ratio_to_hits"],
        "per bare loop": lambda cost: cost.derived["ratio_to_loop"],
        "bytes each": lambda cost: cost.derived["bytes_per_element"],
        "receiver MiB": lambda cost: mib(cost.receiver_peak),
        "sender MiB": lambda cost: mib(cost.sender_peak),
    }
    return BenchReport(
        "number",
        Axes("A count and a sum between two nodes", "elements on each side", "CPU seconds of both sides"),
        costs,
        columns,
        series_by(costs, lambda cost: cost.disclosure, lambda cost: (cost.elements, cost.cpu)),
        runs=[asdict(cost) | cost.derived for cost in costs],
        remarks=(
            "CPU from the start of `round run` to its end, of which start-up takes about a second on both sides",
        ),
    )
