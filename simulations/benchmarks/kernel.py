"""`bench kernel`: microseconds per element for every operation of a round, per group backend, on one core and on all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from blindmatch.protocol import group
from blindmatch.simulations.benchmarks.figures import BenchReport, significant
from blindmatch.simulations.benchmarks.loop import cores
from blindmatch.simulations.benchmarks.operations import OPERATIONS, Call, Operation
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.benchmarks.threads import all_cores, splits_batches, use_one_thread

SIZES: Final = (8, 64, 512, 4_096)
REPEATS: Final = 5
PLOTTED: Final = ("multiply, one scalar", "map and multiply, one scalar", "tag")
_MICRO: Final = 1e6
_SLOW: Final = 1e-3
"""Seconds per element from which a backend is measured on small batches only."""
_FEW: Final = 8


@dataclass(frozen=True)
class OperationCost:
    """One operation of one backend on batches of `elements`; the best of several repeats, in microseconds per element."""

    operation: str
    backend: str
    """Empty for what no backend does."""
    elements: int
    one_core: float
    """CPU time on one thread."""
    all_cores_cpu: float
    """CPU time of all threads together, the batch spread over every core: what spreading costs."""
    all_cores: float
    """Wall time of the same; it says something on a machine that does nothing else."""


def best(call: Call, clock: Callable[[], float], repeats: int) -> float:
    """The least time of several calls."""
    least = float("inf")
    for _ in range(repeats):
        started = clock()
        call()
        least = min(least, clock() - started)
    return least


def _measure(operation: Operation, backend: str, elements: int, repeats: int) -> OperationCost:
    use_one_thread()
    alone = best(operation.make(elements), time.process_time, repeats) / elements
    count = cores()
    with all_cores(count) as pool:
        # Every core gets a whole batch, so that batches are of the stated size on either way.
        parts = [operation.make(elements * count)] if splits_batches() else [operation.make(elements)] * count

        def together() -> None:
            for part in [pool.submit(part) for part in parts]:
                part.result()

        spread = [
            best(together, clock, repeats) / (elements * count) * _MICRO
            for clock in (time.process_time, time.perf_counter)
        ]
    return OperationCost(operation.name, backend, elements, alone * _MICRO, *spread)


def measure(
    sizes: Sequence[int] = SIZES,
    *,
    backends: Sequence[str] = (),
    repeats: int = REPEATS,
    note: Callable[[str], None] = lambda _text: None,
) -> BenchReport:
    """Measure every operation at every size with every backend that loads, or with those named.

    A backend that takes more than a millisecond per element (the pure Python one) is measured on the smallest size only.
    """
    largest = max(sizes)
    costs: list[OperationCost] = []
    for place, backend in enumerate(backends or group.available()):
        with group.using(backend):
            note(f"{backend} ...")
            probe = next(o for o in OPERATIONS if o.name == PLOTTED[0]).make(1)
            probe()
            slow = best(probe, time.process_time, 2) > _SLOW
            for operation in OPERATIONS:
                if not operation.curve and place:
                    continue
                name = backend if operation.curve else ""
                for elements in sorted(sizes):
                    if (slow and operation.curve and elements > max(_FEW, min(sizes))) or (
                        elements != largest and not slow and operation.name not in PLOTTED
                    ):
                        continue
                    costs.append(_measure(operation, name, elements, 1 if slow else repeats))
    return report(costs, cores())


def report(costs: Sequence[OperationCost], count: int) -> BenchReport:
    """The table has each operation at its largest batch; the plot has a few at all sizes."""
    last = {(cost.operation, cost.backend): cost for cost in costs}
    rows = [
        (
            cost.operation,
            cost.backend or "-",
            cost.elements,
            significant(cost.one_core),
            significant(cost.all_cores_cpu),
            significant(cost.all_cores),
        )
        for cost in last.values()
    ]
    lines: dict[str, list[tuple[float, float]]] = {}
    for cost in costs:
        if cost.operation in PLOTTED:
            name = f"{cost.operation} ({cost.backend})" if cost.backend else cost.operation
            lines.setdefault(name, []).append((cost.elements, cost.one_core * cost.elements / _MICRO))
    return BenchReport(
        "kernel",
        Axes("Operations on one core", "elements in a batch", "CPU seconds per batch"),
        (
            "operation",
            "backend",
            "batch",
            "one core, CPU us each",
            f"{count} cores, CPU us each",
            f"{count} cores, wall us each",
        ),
        tuple(rows),
        tuple(Series(name, tuple(points)) for name, points in lines.items()),
        tuple(asdict(cost) for cost in costs),
    )
