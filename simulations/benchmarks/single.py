"""`bench single`: how long the exchange of one check takes, over a channel that is open: submitted, and asked about."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.standing import single_checks
from blindmatch.node.transport.client import connect
from blindmatch.simulations.benchmarks.delta import STANDING, TOKENS, bring, people, round_cost
from blindmatch.simulations.benchmarks.figures import BenchReport, significant
from blindmatch.simulations.benchmarks.nodes import COUNCIL, POLICE, NodePair, PairTerms, deploy
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.drivers.node_process import serving

TARGET_MS = 20.0
_WARM = 3
_FIELDS = ("forenames", "surname", "date_of_birth", "postcode")


@dataclass(frozen=True)
class SingleCost:
    """Milliseconds of wall time for one exchange: median and 9th decile."""

    records: int
    """On each side of the epoch."""
    checks: int
    submit_median: float
    submit_ninth: float
    ask_median: float
    ask_ninth: float


def measure(records: int, count: int, *, note: Callable[[str], None] = lambda _text: None) -> SingleCost:
    """An epoch over so many records a side, and `count` checks each way."""
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"two nodes with {records:,} records each ...")
        pair = deploy(folder, PairTerms(TOKENS, budget=TOKENS))
        pair.introduce()
        bring(pair, folder, (people("people", records), people("traders", records)), again=False)
        with serving([pair.police, pair.council]):
            agreement = pair.agree(records, more=STANDING)
            note("the round that opens an epoch ...")
            round_cost(pair, agreement, delta=False)
            note("checks ...")
            submitted = asyncio.run(_time(pair, agreement, count, submits=True))
            asked = asyncio.run(_time(pair, agreement, count, submits=False))
    return SingleCost(records, count, *_summary(submitted), *_summary(asked))


def _summary(seconds: Sequence[float]) -> tuple[float, float]:
    return statistics.median(seconds) * 1e3, statistics.quantiles(seconds, n=10)[-1] * 1e3


async def _time(pair: NodePair, agreement: str, count: int, *, submits: bool) -> list[float]:
    ours, other = (pair.council, POLICE) if submits else (pair.police, COUNCIL)
    person = dict(zip(_FIELDS, people("people", 1)[0][1:5], strict=True))
    spent = []
    with Node.open(ours.home, ours.passphrase) as node:
        held = registry.find(node, agreement)
        kept = single_checks.epoch_of(node, held, pair.edge)
        with single_checks.records_of(node, held, kept, person) as records:
            (single,) = single_checks.singles(records)
            sender = single_checks.Sender.of(kept, records) if submits else None
            lists = None if submits else kept.received()
            async with connect(node, other) as peer:
                for _ in range(count + _WARM):
                    began = time.perf_counter()
                    if sender is not None:
                        await single_checks.submit(node, peer, sender, single)
                    elif lists is not None:
                        await single_checks.ask(node, peer, kept, lists, records)
                    spent.append(time.perf_counter() - began)
    return spent[_WARM:]


def report(costs: Sequence[SingleCost]) -> BenchReport:
    """The table and the plot."""
    columns = ("records", "checks", "submit ms", "9th decile", "ask ms", "9th decile")
    rows = tuple(
        (
            cost.records,
            cost.checks,
            *map(significant, (cost.submit_median, cost.submit_ninth, cost.ask_median, cost.ask_ninth)),
        )
        for cost in costs
    )
    remarks = []
    for cost in costs:
        slower = max(cost.submit_median, cost.ask_median)
        met = "met" if slower < TARGET_MS else "MISSED"
        remarks.append(f"{cost.records:,}: median {slower:.1f} ms (target: {TARGET_MS:.0f} ms): {met}")
    series = (
        Series("submit", tuple((cost.records, cost.submit_median) for cost in costs)),
        Series("ask", tuple((cost.records, cost.ask_median) for cost in costs)),
    )
    return BenchReport(
        "single",
        Axes("One check over an open channel", "records on each side", "milliseconds, median"),
        columns,
        rows,
        series,
        tuple(asdict(cost) for cost in costs),
        tuple(remarks),
    )
