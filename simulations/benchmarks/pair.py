"""`bench pair`: one comparison of n by n elements between two node processes, beside the bare loop of its group operations.

Both nodes are real: their own folders and processes, the command line, mutual TLS on loopback. Records are invented and
different on both sides; the agreement lets every one have `TOKENS` elements, and padding costs as much as any other.
Processors change their pace, so half of the bare loop runs before the round and half after it.
"""

import csv
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.protocol import group
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.figures import BenchReport, mib, significant
from blindmatch.simulations.benchmarks.input_files import People
from blindmatch.simulations.benchmarks.nodes import NodePair, PairTerms, deploy
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.benchmarks.process_cost import ProcessCost, command, killed_on_exit
from blindmatch.simulations.drivers.node_process import cpu_seconds, peak_bytes, serving

TOKENS = 4
TARGET_RATIO = 1.25
TARGET_PEAK = 400 << 20
MIB = 1 << 20


@dataclass(frozen=True)
class PairCost:
    """What one comparison cost. Seconds of CPU are user and system together; bytes are messages, without TLS."""

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
    def ratio(self) -> float:
        """CPU of the round per CPU of the bare loop."""
        return (self.receiver_cpu + self.sender_cpu) / self.loop_cpu

    @property
    def derived(self) -> dict[str, Any]:
        """Figures that follow from the others, for --json."""
        return {
            "ratio": round(self.ratio, 3),
            "wall_ratio": round(self.wall / self.loop_wall, 3),
            "elements_per_second": round(self.elements / self.wall),
            "bytes_per_element": round((self.sent + self.received) / self.elements, 1),
            "target_ratio": TARGET_RATIO,
            "target_peak": TARGET_PEAK,
        }


@dataclass(frozen=True)
class RoundCost:
    """What one round between the two nodes cost."""

    receiver: ProcessCost
    sender_cpu: float
    sender_peak: int
    edge: dict[str, Any]
    """What `round run --json` says of the only edge."""

    @property
    def cpu(self) -> float:
        """Seconds of both sides."""
        return self.receiver.cpu + self.sender_cpu


def run_round(pair: NodePair, agreement: str) -> RoundCost:
    """One round under an agreement; both servers are running.

    Raises:
        LocalError: the command failed.
    """
    server = pair.council.server
    if server is None:  # pragma: no cover -- `serving` has started it
        raise RuntimeError("the council's server is not running")
    before = cpu_seconds(server.pid)
    run = command(pair.police, "round", "run", agreement, "--json")
    with killed_on_exit([run]):
        spent = run.wait()
    sender_cpu = cpu_seconds(server.pid) - before
    return RoundCost(spent, sender_cpu, peak_bytes(server.pid), json.loads(run.output)["edges"][0])


def write_inputs(folder: Path, records: int) -> tuple[Path, Path]:
    """People on both sides, sole traders on the council's; nobody is on both."""
    return _people(folder / "people.csv", records, "people"), _people(
        folder / "suppliers.csv", records, "traders"
    )


def _people(path: Path, records: int, label: str) -> Path:
    people = People(label)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            (
                "reference",
                "forenames",
                "surname",
                "date_of_birth",
                "postcode",
                "handling_code",
                "contract_value",
            )
        )
        for serial in range(records):
            made = people.person()
            born = "{}-{:02d}-{:02d}".format(*made["born"])
            writer.writerow(
                (
                    f"N{serial:07d}",
                    made["forenames"],
                    made["surname"],
                    born,
                    made["postcode"],
                    "P",
                    1_000 + serial % 9_000,
                )
            )
    return path


def measure(elements: int, *, note: Callable[[str], None] = lambda _text: None) -> PairCost:
    """Run one comparison and the bare loop on this machine.

    Args:
        elements: on each side; rounded up to a whole number of records.
        note: told what happens.

    Raises:
        LocalError: a node's command failed.
    """
    records = -(-elements // TOKENS)
    elements = records * TOKENS
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"two nodes with {records:,} records each ...")
        people, suppliers = write_inputs(folder, records)
        pair = deploy(folder, PairTerms(TOKENS, budget=TOKENS))
        pair.introduce()
        pair.police.run("collection", "import", str(people), "--kind", "subjects")
        pair.council.run("collection", "import", str(suppliers), "--kind", "suppliers")
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records)
            note("half of the bare loop ...")
            first = loop.measure(elements // 2)
            note("the round ...")
            done = run_round(pair, agreement)
            note("the other half of the bare loop ...")
            second = loop.measure(elements - elements // 2)
            edge = done.edge
            if {edge["receiver_elements"], edge["sender_elements"]} != {elements}:
                raise LocalError(f"the round had {edge['receiver_elements']:,} elements, not {elements:,}")
    return PairCost(
        elements=elements,
        backend=group.backend_name(),
        cores=loop.cores(),
        receiver_cpu=done.receiver.cpu,
        sender_cpu=done.sender_cpu,
        wall=done.receiver.wall,
        receiver_peak=done.receiver.peak,
        sender_peak=done.sender_peak,
        sent=int(edge["sent_bytes"]),
        received=int(edge["received_bytes"]),
        loop_cpu=first.cpu + second.cpu,
        loop_wall=first.wall + second.wall,
    )


def measure_all(sizes: Sequence[int], *, note: Callable[[str], None] = lambda _text: None) -> BenchReport:
    """Measure the smallest comparison, which is nearly all start-up, and then every size."""
    note("the smallest round ...")
    least = measure(TOKENS, note=lambda _text: None)
    return report([measure(elements, note=note) for elements in sizes], least)


def beyond(cost: PairCost, least: PairCost) -> float:
    """The ratio to the bare loop without what the smallest round costs: what each further element takes."""
    spent = cost.receiver_cpu + cost.sender_cpu - least.receiver_cpu - least.sender_cpu
    return spent / max(cost.loop_cpu - least.loop_cpu, 1e-9)


def report(costs: Sequence[PairCost], least: PairCost) -> BenchReport:
    """The table and the plot of several sizes; `least` is the cost of the smallest round."""
    columns = (
        "elements",
        "wall s",
        "elements/s",
        "CPU s",
        "loop's CPU s",
        "ratio",
        "beyond start",
        "bytes each",
        "receiver MiB",
        "sender MiB",
    )
    rows = [
        (
            cost.elements,
            significant(cost.wall),
            cost.derived["elements_per_second"],
            significant(cost.receiver_cpu + cost.sender_cpu),
            significant(cost.loop_cpu),
            cost.derived["ratio"],
            significant(beyond(cost, least)),
            cost.derived["bytes_per_element"],
            mib(cost.receiver_peak),
            mib(cost.sender_peak),
        )
        for cost in costs
    ]
    start = least.receiver_cpu + least.sender_cpu
    remarks = [f"start-up: {start:.2f} s of CPU on both sides for {least.elements} elements"]
    for cost in costs:
        verdict = "within" if max(cost.receiver_peak, cost.sender_peak) < TARGET_PEAK else "ABOVE"
        remarks.append(
            f"{cost.elements:,}: ratio {cost.ratio:.3f} (target at 100,000 and above: {TARGET_RATIO}), "
            f"memory {verdict} {TARGET_PEAK // MIB} MiB"
        )
    series = (
        Series("round", tuple((cost.elements, cost.receiver_cpu + cost.sender_cpu) for cost in costs)),
        Series("bare loop", tuple((cost.elements, cost.loop_cpu) for cost in costs)),
    )
    return BenchReport(
        "pair",
        Axes("One comparison between two nodes", "elements on each side", "CPU seconds of both sides"),
        columns,
        tuple(rows),
        series,
        tuple(asdict(cost) | cost.derived | {"ratio_beyond_start": beyond(cost, least)} for cost in costs),
        tuple(remarks),
    )
