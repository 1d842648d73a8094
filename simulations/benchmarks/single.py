"""`bench single`: the time of one check over an open channel: a submission, and a query."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.standing import outbound_checks
from blindmatch.node.rounds.standing.checked_record import imported_record
from blindmatch.node.rounds.standing.outbound_checks import Queries, Submissions
from blindmatch.node.transport.client import connect
from blindmatch.simulations.benchmarks.delta import STANDING, TOKENS, import_people, run_round
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, significant, silent
from blindmatch.simulations.benchmarks.input_files import people_rows
from blindmatch.simulations.benchmarks.nodes import COUNCIL, POLICE, NodePair, temporary_pair
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving

TARGET_MS = 20.0
_WARM = 3
_FIELDS = ("forenames", "surname", "date_of_birth", "postcode")


@dataclass(frozen=True)
class SingleCost:
    """The wall time of one exchange in milliseconds: median and 9th decile."""

    records: int
    """On each side of the epoch."""
    checks: int
    submit_median: float
    submit_ninth: float
    ask_median: float
    ask_ninth: float


def measure(records: int, count: int, *, note: Note = silent) -> SingleCost:
    """Start an epoch over so many records a side, and run `count` checks in each direction."""
    note(f"two nodes with {records:,} records each ...")
    with temporary_pair(TOKENS) as pair:
        import_people(pair, (people_rows("people", records), people_rows("traders", records)))
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records, more=STANDING)
            note("the round that starts an epoch ...")
            run_round(pair, agreement, delta=False)
            note("checks ...")
            submitted = asyncio.run(_time(pair, agreement, count, submits=True))
            queried = asyncio.run(_time(pair, agreement, count, submits=False))
    return SingleCost(records, count, *_summary(submitted), *_summary(queried))


def _summary(seconds: Sequence[float]) -> tuple[float, float]:
    return statistics.median(seconds) * 1e3, statistics.quantiles(seconds, n=10)[-1] * 1e3


async def _time(pair: NodePair, agreement: str, count: int, *, submits: bool) -> list[float]:
    ours, other = (pair.council, POLICE) if submits else (pair.police, COUNCIL)
    person = dict(zip(_FIELDS, people_rows("people", 1)[0][1:5], strict=True))
    seconds = []
    with Node.open(ours.home, ours.passphrase) as node:
        stored = registry.find(node, agreement)
        epoch = outbound_checks.load_epoch(node, stored, pair.edge)
        with imported_record(node, stored, epoch, person) as records:
            checks = (Submissions if submits else Queries)(node, epoch, records)
            async with connect(node, other) as peer:
                for _ in range(count + _WARM):
                    started = time.perf_counter()
                    await checks.run(peer)
                    seconds.append(time.perf_counter() - started)
    return seconds[_WARM:]


def report(costs: Sequence[SingleCost]) -> BenchReport:
    """The table and the plot."""
    columns: dict[str, Callable[[SingleCost], object]] = {
        "records": lambda cost: cost.records,
        "checks": lambda cost: cost.checks,
        "submit ms": lambda cost: significant(cost.submit_median),
        "submit, 9th decile": lambda cost: significant(cost.submit_ninth),
        "ask ms": lambda cost: significant(cost.ask_median),
        "ask, 9th decile": lambda cost: significant(cost.ask_ninth),
    }
    remarks = []
    for cost in costs:
        slower = max(cost.submit_median, cost.ask_median)
        met = "met" if slower < TARGET_MS else "MISSED"
        remarks.append(f"{cost.records:,}: median {slower:.1f} ms (target: {TARGET_MS:.0f} ms): {met}")
    return BenchReport(
        "single",
        Axes("One check over an open channel", "records on each side", "milliseconds, median"),
        costs,
        columns,
        (
            Series("submit", tuple((cost.records, cost.submit_median) for cost in costs)),
            Series("ask", tuple((cost.records, cost.ask_median) for cost in costs)),
        ),
        remarks=remarks,
    )
