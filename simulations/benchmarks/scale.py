"""`bench scale`: the costly steps of both sides on local Ray workers, and a model of a whole country from the measured figures.

Every step of n x n elements goes through the node's own engine, chunk by chunk, sealed both ways, as in a round: receiver's
blinding, sender's rows and evaluation, receiver's unblinding and tags. The same steps are also measured in one thread of one process.
The other work of a node (files, checkpoints, TLS) is not included: see `bench pair`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from blindmatch.node.compute.cluster import RayEngine
from blindmatch.node.compute.connection import connected
from blindmatch.node.storage.config import Cluster
from blindmatch.protocol import group, hashing
from blindmatch.protocol.hits.computing import Computing, LocalComputing
from blindmatch.protocol.limits import LIMITS, SEED_BYTES
from blindmatch.protocol.linkage.tokens import ELEMENT_BYTES
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, significant, silent
from blindmatch.simulations.benchmarks.loop import cores
from blindmatch.simulations.benchmarks.operations import bench_context
from blindmatch.simulations.benchmarks.plot import Axes, series_by
from blindmatch.simulations.drivers.node_process import cpu_seconds

STEPS = ("blind", "rows", "evaluate", "tags")
RECEIVERS_STEPS = ("blind", "evaluate", "tags")
"""Steps done for each of the receiver's elements; `rows` is done for each of the sender's."""

FORCES = 43
COUNCILS = 317
FORCE_RECORDS = 1_000
"""Assumed: 38,000 mapped people over 43 forces, rounded up."""
FORCE_TOKENS = 72
COUNCIL_RECORDS = 10_000
"""Assumed: suppliers of a council."""
COUNCIL_TOKENS = 24
MODEL_CORES = (2, 64, 512)
HOUR = 3_600.0


@dataclass(frozen=True)
class StepCost:
    """One step over all chunks."""

    step: str
    wall: float
    workers_cpu: float
    """CPU seconds of all workers together; 0 where the caller does the work itself."""
    node_cpu: float
    """CPU seconds of the process that distributes the work: sealing, sending, receiving."""


@dataclass(frozen=True)
class ScaleCost:
    """All steps for n elements a side."""

    elements: int
    workers: int
    """0: no cluster, one thread of this process."""
    backend: str
    start: float
    """Seconds until every worker has answered."""
    steps: tuple[StepCost, ...]

    @property
    def wall(self) -> float:
        """Seconds of all steps."""
        return sum(step.wall for step in self.steps)

    @property
    def rate(self) -> float:
        """Elements a side per second."""
        return self.elements / self.wall

    def cpu(self, names: Sequence[str]) -> float:
        """CPU seconds per element of some steps, on workers and in the distributing process together."""
        chosen = [step for step in self.steps if step.step in names]
        return sum(step.workers_cpu + step.node_cpu for step in chosen) / self.elements

    def handing(self, names: Sequence[str]) -> float:
        """CPU seconds of the distributing process per element of some steps."""
        return sum(step.node_cpu for step in self.steps if step.step in names) / self.elements


@dataclass(frozen=True)
class Model:
    """Every force compared with every council once, from measured seconds of CPU per element.

    hours(N) = FORCES x COUNCILS x (R x (blind + evaluate + tags) + S x rows) / (3600 x N x efficiency)

    with R and S the elements of a force and of a council: records times tokens per record.
    """

    receivers_cpu: float
    """Seconds per receiver's element: blind, evaluate, tags."""
    senders_cpu: float
    """Seconds per sender's element: rows."""
    efficiency: float
    """The efficiency of two workers compared with one, at most 1."""
    handing_cpu: float
    """Seconds of the node's own CPU per element, of all four steps."""

    @property
    def most_workers(self) -> float:
        """The number of workers that one core of a node can keep busy."""
        return (self.receivers_cpu + self.senders_cpu) / self.handing_cpu - 1 if self.handing_cpu else 0.0

    @property
    def core_hours(self) -> float:
        """Hours on one core."""
        edge = (
            FORCE_RECORDS * FORCE_TOKENS * self.receivers_cpu
            + COUNCIL_RECORDS * COUNCIL_TOKENS * self.senders_cpu
        )
        return FORCES * COUNCILS * edge / HOUR

    def hours(self, count: int) -> float:
        """Hours on several cores."""
        return self.core_hours / (count * (self.efficiency if count > 1 else 1.0))


def _walk(
    computing: Computing, inputs: Bytes2D, lanes: int, spent: Callable[[], tuple[float, float]]
) -> tuple[StepCost, ...]:
    """Every step over every chunk, `lanes` chunks at a time; `spent` gives CPU of the workers and of this process."""
    chunk = LIMITS.chunk_elements
    spans = [slice(start, start + chunk) for start in range(0, len(inputs), chunk)]
    results: dict[str, list[Any]] = {}

    def one(step: str, index: int) -> Any:
        part = inputs[spans[index]]
        if step == "blind":
            return computing.blind(index, part)
        if step == "rows":
            return computing.rows(part)
        if step == "evaluate":
            return computing.evaluate(index, results["blind"][index])[0]
        return computing.tags(index, part, results["evaluate"][index])

    costs = []
    with ThreadPoolExecutor(lanes) as pool:
        for step in STEPS:
            before, wall = spent(), time.perf_counter()
            results[step] = list(pool.map(lambda index, step=step: one(step, index), range(len(spans))))
            after = spent()
            costs.append(
                StepCost(step, time.perf_counter() - wall, after[0] - before[0], after[1] - before[1])
            )
    return tuple(costs)


@contextmanager
def _one_thread() -> Iterator[None]:
    group.use_threads(1)
    hashing.use_threads(1)
    try:
        yield
    finally:
        group.use_threads(None)
        hashing.use_threads(None)


def measure(elements: int, workers: int) -> ScaleCost:
    """Measure all steps of n x n elements, on so many local workers, or, with 0, in one thread here.

    Raises:
        LocalError: no cluster can be started.
    """
    inputs = np.random.default_rng(1).integers(0, 256, (elements, ELEMENT_BYTES), dtype=np.uint8)
    seed = bytes(SEED_BYTES)
    if workers == 0:
        with _one_thread():
            computing = LocalComputing(seed, bench_context())
            steps = _walk(computing, inputs, 1, lambda: (0.0, time.process_time()))
            return ScaleCost(elements, 0, group.backend_name(), 0.0, steps)
    with connected(workers=workers), closing(RayEngine(Cluster(workers=workers))) as engine:
        before = time.perf_counter()
        remote = engine.computing(seed, bench_context())
        started = time.perf_counter() - before
        processes = [worker.process for worker in engine.workers]
        remote.blind(0, inputs[:1])

        def spent() -> tuple[float, float]:
            return sum(cpu_seconds(process) for process in processes), time.process_time()

        steps = _walk(remote, inputs, engine.lanes, spent)
        return ScaleCost(elements, len(processes), group.backend_name(), started, steps)


def measure_all(sizes: Sequence[int], workers: Sequence[int], *, note: Note = silent) -> BenchReport:
    """Measure every size without a cluster, then with each number of workers."""
    costs = []
    for elements in sizes:
        for count in (0, *workers):
            note(f"{elements:,} elements, {count or 'no'} workers ...")
            costs.append(measure(elements, count))
    return report(costs)


def model(costs: Sequence[ScaleCost]) -> Model:
    """The model from the largest size: CPU per element with most workers, and the efficiency of two workers."""
    largest = max(cost.elements for cost in costs)
    chosen = {cost.workers: cost for cost in costs if cost.elements == largest}
    most = chosen[max(chosen)]
    one, two = chosen.get(1), chosen.get(2)
    efficiency = 1.0 if one is None or two is None else min(1.0, two.rate / (2 * one.rate))
    return Model(most.cpu(RECEIVERS_STEPS), most.cpu(("rows",)), efficiency, most.handing(STEPS))


def report(costs: Sequence[ScaleCost]) -> BenchReport:
    """The table, the plot and the model."""

    def step_us(step: str) -> Callable[[ScaleCost], object]:
        return lambda cost: significant(1e6 * cost.cpu((step,)))

    columns: dict[str, Callable[[ScaleCost], object]] = {
        "elements": lambda cost: cost.elements,
        "workers": lambda cost: cost.workers or "none",
        "elements/s": lambda cost: round(cost.rate),
        **{f"{step} us": step_us(step) for step in STEPS},
        "distribution us": lambda cost: significant(1e6 * cost.handing(STEPS)) if cost.workers else "-",
        "start s": lambda cost: significant(cost.start),
    }
    country = model(costs)
    hours = {str(count): round(country.hours(count), 2) for count in MODEL_CORES}
    return BenchReport(
        "scale",
        Axes("Heavy steps of both sides on local workers", "elements on each side", "wall seconds"),
        costs,
        columns,
        series_by(
            sorted(costs, key=lambda cost: cost.workers),
            lambda cost: f"{cost.workers} workers" if cost.workers else "one thread",
            lambda cost: (cost.elements, cost.wall),
        ),
        runs=(
            *(asdict(cost) | {"elements_per_second": round(cost.rate)} for cost in costs),
            {"model": asdict(country) | {"core_hours": round(country.core_hours, 2), "hours": hours}},
        ),
        remarks=(*_speeds(costs), *_model_remarks(country)),
    )


def _speeds(costs: Sequence[ScaleCost]) -> list[str]:
    remarks = []
    for cost in costs:
        alone = next((each for each in costs if (each.elements, each.workers) == (cost.elements, 1)), None)
        if cost.workers > 1 and alone is not None:
            remarks.append(
                f"{cost.elements:,}: {cost.workers} workers are {cost.rate / alone.rate:.2f} times as fast as one, on "
                f"{cores()} cores that they share with the process that distributes the work"
            )
    return remarks


def _model_remarks(country: Model) -> list[str]:
    hours = ", ".join(f"{country.hours(count):,.2f} h on {count} cores" for count in MODEL_CORES)
    formula = (
        f"{FORCES} x {COUNCILS} x (R x {1e6 * country.receivers_cpu:.1f} us + S x {1e6 * country.senders_cpu:.1f} us) "
        f"/ (cores x {country.efficiency:.2f}), with the efficiency of two workers, assumed for more"
    )
    assumed = (
        f"R = {FORCE_RECORDS:,} people x {FORCE_TOKENS} tokens, S = {COUNCIL_RECORDS:,} suppliers x {COUNCIL_TOKENS} tokens; "
        "nothing is computed once for several edges; files, TLS and checkpoints of the nodes are not included (see `bench pair`)"
    )
    return [
        f"model, each of {FORCES} forces with each of {COUNCILS} councils, once: {country.core_hours:,.1f} core hours; {hours}",
        f"formula: {formula}",
        f"assumed: {assumed}",
        f"one node can keep {country.most_workers:.0f} workers busy: distribution takes {1e6 * country.handing_cpu:.1f} us of its CPU for each element",
    ]
