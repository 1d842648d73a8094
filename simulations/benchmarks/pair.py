"""`bench pair`: one comparison of n by n elements between two node processes, beside the bare loop of its group operations.

Both nodes are real: their own folders and processes, the command line, mutual TLS on loopback. Records are invented and
different on both sides; every record has up to `TOKENS` elements by the agreement, and padding costs as much as an element.
Half of the bare loop runs before the round and half after it, because the speed of a processor varies.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import MIB, BenchReport, Note, mib, significant, silent
from blindmatch.simulations.benchmarks.input_files import people_rows, write_people
from blindmatch.simulations.benchmarks.nodes import temporary_pair
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving

TOKENS = 4
TARGET_RATIO = 1.25
TARGET_PEAK = 400 << 20


@dataclass(frozen=True)
class PairCost:
    """The cost of one comparison. CPU seconds are user and system time; bytes are messages, without TLS."""

    elements: int
    """On each side."""
    backend: str
    cores: int
    receiver_cpu: float
    """The whole `round run` command, start-up included."""
    sender_cpu: float
    """The server, from before the round to after it."""
    wall: float
    receiver_peak: int
    """Bytes."""
    sender_peak: int
    sent: int
    """Bytes from receiver to sender."""
    received: int
    loop_cpu: float
    loop_wall: float

    @property
    def cpu(self) -> float:
        """CPU seconds of both sides."""
        return self.receiver_cpu + self.sender_cpu

    @property
    def ratio(self) -> float:
        """CPU of the round per CPU of the bare loop."""
        return self.cpu / self.loop_cpu

    @property
    def derived(self) -> dict[str, Any]:
        """Derived figures for --json."""
        return {
            "ratio": round(self.ratio, 3),
            "wall_ratio": round(self.wall / self.loop_wall, 3),
            "elements_per_second": round(self.elements / self.wall),
            "bytes_per_element": round((self.sent + self.received) / self.elements, 1),
            "target_ratio": TARGET_RATIO,
            "target_peak": TARGET_PEAK,
        }


def write_lists(folder: Path, records: int) -> tuple[Path, Path]:
    """People on both sides (sole traders on the council's), without a common person; returns both files."""
    subjects = write_people(folder / "people.csv", people_rows("people", records))
    return subjects, write_people(folder / "suppliers.csv", people_rows("traders", records))


def measure(elements: int, *, note: Note = silent) -> PairCost:
    """Run one comparison and the bare loop on this machine.

    Args:
        elements: on each side; rounded up to a whole number of records.
        note: receives progress messages.

    Raises:
        LocalError: a node's command failed.
    """
    records = -(-elements // TOKENS)
    elements = records * TOKENS
    note(f"two nodes with {records:,} records each ...")
    with temporary_pair(TOKENS) as pair:
        pair.import_lists(*write_lists(pair.folder, records))
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records)
            note("half of the bare loop ...")
            first = loop.measure(elements // 2)
            note("the round ...")
            round_cost = pair.run_round(agreement)
            note("the other half of the bare loop ...")
            second = loop.measure(elements - elements // 2)
    edge = round_cost.edge
    if {edge["receiver_elements"], edge["sender_elements"]} != {elements}:
        raise LocalError(f"the round had {edge['receiver_elements']:,} elements, not {elements:,}")
    return PairCost(
        elements=elements,
        backend=group.backend_name(),
        cores=loop.cores(),
        receiver_cpu=round_cost.receiver.cpu,
        sender_cpu=round_cost.sender_cpu,
        wall=round_cost.receiver.wall,
        receiver_peak=round_cost.receiver.peak,
        sender_peak=round_cost.sender_peak,
        sent=int(edge["sent_bytes"]),
        received=int(edge["received_bytes"]),
        loop_cpu=first.cpu + second.cpu,
        loop_wall=first.wall + second.wall,
    )


def measure_all(sizes: Sequence[int], *, note: Note = silent) -> BenchReport:
    """Measure the smallest comparison, which is nearly all start-up, and then every size."""
    note("the smallest round ...")
    least = measure(TOKENS)
    return report([measure(elements, note=note) for elements in sizes], least)


def beyond(cost: PairCost, least: PairCost) -> float:
    """The ratio to the bare loop without the cost of the smallest round: the ratio of each further element."""
    return (cost.cpu - least.cpu) / max(cost.loop_cpu - least.loop_cpu, 1e-9)


def report(costs: Sequence[PairCost], least: PairCost) -> BenchReport:
    """The table and the plot of several sizes; `least` is the cost of the smallest round."""
    columns: dict[str, Callable[[PairCost], object]] = {
        "elements": lambda cost: cost.elements,
        "wall s": lambda cost: significant(cost.wall),
        "elements/s": lambda cost: cost.derived["elements_per_second"],
        "CPU s": lambda cost: significant(cost.cpu),
        "loop's CPU s": lambda cost: significant(cost.loop_cpu),
        "ratio": lambda cost: cost.derived["ratio"],
        "beyond start": lambda cost: significant(beyond(cost, least)),
        "bytes each": lambda cost: cost.derived["bytes_per_element"],
        "receiver MiB": lambda cost: mib(cost.receiver_peak),
        "sender MiB": lambda cost: mib(cost.sender_peak),
    }
    remarks = [f"start-up: {least.cpu:.2f} s of CPU on both sides for {least.elements} elements"]
    for cost in costs:
        verdict = "within" if max(cost.receiver_peak, cost.sender_peak) < TARGET_PEAK else "ABOVE"
        remarks.append(
            f"{cost.elements:,}: ratio {cost.ratio:.3f} (target at 100,000 and above: {TARGET_RATIO}), "
            f"memory {verdict} {TARGET_PEAK // MIB} MiB"
        )
    return BenchReport(
        "pair",
        Axes("One comparison between two nodes", "elements on each side", "CPU seconds of both sides"),
        costs,
        columns,
        (
            Series("round", tuple((cost.elements, cost.cpu) for cost in costs)),
            Series("bare loop", tuple((cost.elements, cost.loop_cpu) for cost in costs)),
        ),
        runs=[asdict(cost) | cost.derived | {"ratio_beyond_start": beyond(cost, least)} for cost in costs],
        remarks=remarks,
    )
