"""`bench delta`: a delta round after some records changed on both sides, beside the full round that opened its epoch.

Both nodes are real, as in `bench pair`. Imports are not counted: both rounds need them alike.
"""

import csv
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks.figures import BenchReport, significant
from blindmatch.simulations.benchmarks.input_files import People
from blindmatch.simulations.benchmarks.nodes import NodePair, PairTerms, deploy
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.benchmarks.process_cost import command, killed_on_exit
from blindmatch.simulations.drivers.node_process import cpu_seconds, serving

TOKENS = 24
"""As in the pilot's agreements for councils."""
TARGET_RATIO = 30
LEAST = 40
STANDING = "\n[standing]\nepoch_days = 30\nchecks_per_day = 10000\n"

_HEADER = ("reference", "forenames", "surname", "date_of_birth", "postcode", "handling_code")
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class RoundCost:
    """CPU seconds (user and system) of the command and of the server, and bytes of messages both ways."""

    receiver_cpu: float
    sender_cpu: float
    octets: int
    wall: float

    @property
    def cpu(self) -> float:
        """Of both sides."""
        return self.receiver_cpu + self.sender_cpu


@dataclass(frozen=True)
class DeltaCost:
    """A full round and the delta round after it."""

    records: int
    """On each side."""
    changed: int
    """Of these, on each side."""
    full: RoundCost
    delta: RoundCost

    def ratios(self, least: "DeltaCost") -> dict[str, float]:
        """How many times the full round costs more, as it is and without what the smallest rounds cost."""
        beyond = max(self.delta.cpu - least.delta.cpu, 1e-9)
        return {
            "cpu_ratio": self.full.cpu / self.delta.cpu,
            "cpu_ratio_beyond_start": (self.full.cpu - least.full.cpu) / beyond,
            "bytes_ratio": self.full.octets / self.delta.octets,
        }


def people(label: str, records: int) -> Rows:
    """Invented people with references."""
    made, rows = People(label), cast("Rows", [])
    for serial in range(records):
        each = made.person()
        born = "{}-{:02d}-{:02d}".format(*each["born"])
        rows.append((f"N{serial:07d}", each["forenames"], each["surname"], born, each["postcode"], "P"))
    return rows


def changed(rows: Rows, share: float, label: str) -> tuple[Rows, int]:
    """The same list with this share of its records replaced by others, evenly spread."""
    count = max(1, round(len(rows) * share))
    fresh = people(label, count)
    step, result = len(rows) / count, list(rows)
    for place in range(count):
        at = int(place * step)
        result[at] = (rows[at][0], *fresh[place][1:])
    return result, count


def write(path: Path, rows: Rows) -> Path:
    """Rows as a file to import."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(rows)
    return path


def bring(pair: NodePair, folder: Path, lists: tuple[Rows, Rows], *, again: bool) -> None:
    """Import both lists; `again`: as new imports under the same names."""
    for node, name, rows in ((pair.police, "subjects", lists[0]), (pair.council, "suppliers", lists[1])):
        if again:
            node.run("collection", "delete", name, "--yes")
        node.run("collection", "import", str(write(folder / f"{name}.csv", rows)), "--kind", name)


def round_cost(pair: NodePair, agreement: str, *, delta: bool) -> RoundCost:
    """Run a round; it must be of the kind that is expected."""
    server = pair.council.server
    if server is None:
        raise LocalError("the council's server is not running")
    before = cpu_seconds(server.pid)
    run = command(pair.police, "round", "run", agreement, "--json")
    with killed_on_exit([run]):
        spent = run.wait()
    sender = cpu_seconds(server.pid) - before
    edge = json.loads(run.output)["edges"][0]
    if bool(edge["delta"]) != delta:
        raise LocalError(f"the round was no {'delta' if delta else 'full'} round")
    return RoundCost(spent.cpu, sender, int(edge["sent_bytes"]) + int(edge["received_bytes"]), spent.wall)


def measure(records: int, share: float, *, note: Callable[[str], None] = lambda _text: None) -> DeltaCost:
    """A full round over so many records a side, a share of them changed, and a delta round."""
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"two nodes with {records:,} records each ...")
        pair = deploy(folder, PairTerms(TOKENS, budget=TOKENS))
        pair.introduce()
        lists = people("people", records), people("traders", records)
        bring(pair, folder, lists, again=False)
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records, more=STANDING)
            note("the full round ...")
            full = round_cost(pair, agreement, delta=False)
            ours, count = changed(lists[0], share, "newcomers")
            theirs, _ = changed(lists[1], share, "bidders")
            note(f"{count:,} records changed on each side; importing ...")
            bring(pair, folder, (ours, theirs), again=True)
            note("the delta round ...")
            delta = round_cost(pair, agreement, delta=True)
    return DeltaCost(records, count, full, delta)


def measure_all(
    sizes: Sequence[int], share: float, *, note: Callable[[str], None] = lambda _text: None
) -> BenchReport:
    """Measure the smallest rounds, which are nearly all start-up, and then every size."""
    note("the smallest rounds ...")
    least = measure(LEAST, share)
    return report([measure(records, share, note=note) for records in sizes], least)


def report(costs: Sequence[DeltaCost], least: DeltaCost) -> BenchReport:
    """The table and the plot."""
    columns = (
        "records",
        "changed",
        "full CPU s",
        "delta CPU s",
        "ratio",
        "beyond start",
        "full MB",
        "delta MB",
        "ratio",
    )
    rows, runs, remarks = [], [], []
    for cost in costs:
        ratios = cost.ratios(least)
        rows.append(
            (
                cost.records,
                cost.changed,
                significant(cost.full.cpu),
                significant(cost.delta.cpu),
                significant(ratios["cpu_ratio"]),
                significant(ratios["cpu_ratio_beyond_start"]),
                significant(cost.full.octets / 1e6),
                significant(cost.delta.octets / 1e6),
                significant(ratios["bytes_ratio"]),
            )
        )
        runs.append(asdict(cost) | ratios | {"target": TARGET_RATIO})
        met = min(ratios["cpu_ratio"], ratios["bytes_ratio"]) >= TARGET_RATIO
        remarks.append(
            f"{cost.records:,}: a delta round takes 1/{ratios['cpu_ratio']:.0f} of the CPU (1/"
            f"{ratios['cpu_ratio_beyond_start']:.0f} beyond start-up) and 1/{ratios['bytes_ratio']:.0f} of the bytes; "
            f"target 1/{TARGET_RATIO} at 100,000 records: {'met' if met else 'MISSED'}"
        )
    start = f"{least.full.cpu:.2f} and {least.delta.cpu:.2f} s"
    remarks.append(f"start-up: {start} of CPU on both sides, full and delta, for {least.records} records")
    series: Sequence[tuple[str, Callable[[DeltaCost], RoundCost]]] = (
        ("full round", lambda cost: cost.full),
        ("delta round", lambda cost: cost.delta),
    )
    return BenchReport(
        "delta",
        Axes(
            "A delta round and the full round before it", "records on each side", "CPU seconds of both sides"
        ),
        columns,
        tuple(rows),
        tuple(Series(name, tuple((cost.records, of(cost).cpu) for cost in costs)) for name, of in series),
        tuple(runs),
        tuple(remarks),
    )
