"""`bench delta`: a delta round after some records changed on both sides, beside the full round that opened its epoch.

Both nodes are real, as in `bench pair`. Imports are not counted, because both rounds need them alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, significant, silent
from blindmatch.simulations.benchmarks.input_files import Rows, people_rows, write_people
from blindmatch.simulations.benchmarks.nodes import NodePair, temporary_pair
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving

TOKENS = 24
"""As in the pilot's agreements for councils."""
TARGET_RATIO = 30
LEAST = 40
STANDING = "\n[standing]\nepoch_days = 30\nchecks_per_day = 10000\n"


@dataclass(frozen=True)
class SidesCost:
    """CPU seconds (user and system) of the command and of the server, and bytes of messages in both directions."""

    receiver_cpu: float
    sender_cpu: float
    octets: int
    wall: float

    @property
    def cpu(self) -> float:
        """CPU seconds of both sides."""
        return self.receiver_cpu + self.sender_cpu


@dataclass(frozen=True)
class DeltaCost:
    """A full round and the delta round after it."""

    records: int
    """On each side."""
    changed: int
    """Changed records on each side."""
    full: SidesCost
    delta: SidesCost

    def ratios(self, least: "DeltaCost") -> dict[str, float]:
        """The cost of the full round per cost of the delta round, with and without the cost of the smallest rounds."""
        beyond = max(self.delta.cpu - least.delta.cpu, 1e-9)
        return {
            "cpu_ratio": self.full.cpu / self.delta.cpu,
            "cpu_ratio_beyond_start": (self.full.cpu - least.full.cpu) / beyond,
            "bytes_ratio": self.full.octets / self.delta.octets,
        }


def changed(rows: Rows, share: float, label: str) -> tuple[Rows, int]:
    """The same list with this share of its records replaced by others, evenly spread."""
    count = max(1, round(len(rows) * share))
    fresh = people_rows(label, count)
    step, result = len(rows) / count, list(rows)
    for place in range(count):
        at = int(place * step)
        result[at] = (rows[at][0], *fresh[place][1:])
    return result, count


def import_people(pair: NodePair, lists: tuple[Rows, Rows], *, again: bool = False) -> None:
    """Import both lists; `again` deletes the imports of the same names first."""
    if again:
        pair.police.run("collection", "delete", "subjects", "--yes")
        pair.council.run("collection", "delete", "suppliers", "--yes")
    subjects, suppliers = (
        write_people(pair.folder / f"list-{place}.csv", rows) for place, rows in enumerate(lists)
    )
    pair.import_lists(subjects, suppliers)


def run_round(pair: NodePair, agreement: str, *, delta: bool) -> SidesCost:
    """Run a round, which must be a delta round or a full round as expected.

    Raises:
        LocalError: the command failed, or the round is of the other kind.
    """
    cost = pair.run_round(agreement)
    if bool(cost.edge["delta"]) != delta:
        raise LocalError(f"the round was not a {'delta' if delta else 'full'} round")
    return SidesCost(cost.receiver.cpu, cost.sender_cpu, cost.octets, cost.receiver.wall)


def measure(records: int, share: float, *, note: Note = silent) -> DeltaCost:
    """Run a full round over so many records a side, change a share of them, and run a delta round."""
    note(f"two nodes with {records:,} records each ...")
    with temporary_pair(TOKENS) as pair:
        lists = people_rows("people", records), people_rows("traders", records)
        import_people(pair, lists)
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records, more=STANDING)
            note("the full round ...")
            full = run_round(pair, agreement, delta=False)
            ours, count = changed(lists[0], share, "newcomers")
            theirs, _ = changed(lists[1], share, "bidders")
            note(f"{count:,} records changed on each side; importing ...")
            import_people(pair, (ours, theirs), again=True)
            note("the delta round ...")
            delta = run_round(pair, agreement, delta=True)
    return DeltaCost(records, count, full, delta)


def measure_all(sizes: Sequence[int], share: float, *, note: Note = silent) -> BenchReport:
    """Measure the smallest rounds, which are nearly all start-up, and then every size."""
    note("the smallest rounds ...")
    least = measure(LEAST, share)
    return report([measure(records, share, note=note) for records in sizes], least)


def report(costs: Sequence[DeltaCost], least: DeltaCost) -> BenchReport:
    """The table and the plot."""
    columns: dict[str, Callable[[DeltaCost], object]] = {
        "records": lambda cost: cost.records,
        "changed": lambda cost: cost.changed,
        "full CPU s": lambda cost: significant(cost.full.cpu),
        "delta CPU s": lambda cost: significant(cost.delta.cpu),
        "CPU ratio": lambda cost: significant(cost.ratios(least)["cpu_ratio"]),
        "beyond start": lambda cost: significant(cost.ratios(least)["cpu_ratio_beyond_start"]),
        "full MB": lambda cost: significant(cost.full.octets / 1e6),
        "delta MB": lambda cost: significant(cost.delta.octets / 1e6),
        "bytes ratio": lambda cost: significant(cost.ratios(least)["bytes_ratio"]),
    }
    remarks = []
    for cost in costs:
        ratios = cost.ratios(least)
        met = min(ratios["cpu_ratio"], ratios["bytes_ratio"]) >= TARGET_RATIO
        remarks.append(
            f"{cost.records:,}: a delta round takes 1/{ratios['cpu_ratio']:.0f} of the CPU (1/"
            f"{ratios['cpu_ratio_beyond_start']:.0f} beyond start-up) and 1/{ratios['bytes_ratio']:.0f} of the bytes; "
            f"target 1/{TARGET_RATIO} at 100,000 records: {'met' if met else 'MISSED'}"
        )
    start = f"{least.full.cpu:.2f} and {least.delta.cpu:.2f} s"
    remarks.append(f"start-up: {start} of CPU on both sides, full and delta, for {least.records} records")
    title = "A delta round and the full round before it"
    return BenchReport(
        "delta",
        Axes(title, "records on each side", "CPU seconds of both sides"),
        costs,
        columns,
        (
            Series("full round", tuple((cost.records, cost.full.cpu) for cost in costs)),
            Series("delta round", tuple((cost.records, cost.delta.cpu) for cost in costs)),
        ),
        runs=[asdict(cost) | cost.ratios(least) | {"target": TARGET_RATIO} for cost in costs],
        remarks=remarks,
    )
