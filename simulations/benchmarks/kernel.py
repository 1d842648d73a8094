"""`bench kernel`: microseconds per element for every operation of a round, per group backend, on one core and on all."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from blindmatch.protocol import group
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, significant, silent
from blindmatch.simulations.benchmarks.loop import cores
from blindmatch.simulations.benchmarks.operations import OPERATIONS, Call, Operation
from blindmatch.simulations.benchmarks.plot import Axes, series_by

SIZES: Final = (8, 64, 512, 4_096)
REPEATS: Final = 5
PLOTTED: Final = ("multiply, one scalar", "map and multiply, one scalar", "tag")
_MICRO: Final = 1e6
_SLOW: Final = 1e-3
"""Seconds per element above which a backend is measured on small batches only."""
_FEW: Final = 8


@dataclass(frozen=True)
class OperationCost:
    """One operation of one backend on batches of `elements`; the best of several repeats, in microseconds per element."""

    operation: str
    backend: str
    """Empty for operations without a backend."""
    elements: int
    one_core: float
    """CPU time on one thread."""
    all_cores_cpu: float
    """CPU time of all threads together, with the batch spread over every core: it shows the cost of spreading."""
    all_cores: float
    """Wall time of the same; meaningful only on an idle machine."""


def best(call: Call, clock: Callable[[], float], repeats: int) -> float:
    """The shortest time of several calls."""
    least = float("inf")
    for _ in range(repeats):
        started = clock()
        call()
        least = min(least, clock() - started)
    return least


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Threads of the group backend, while the context lasts."""
    group.use_threads(count)
    try:
        yield
    finally:
        group.use_threads(None)


def _measure(operation: Operation, backend: str, elements: int, repeats: int) -> OperationCost:
    group.use_threads(1)
    alone = best(operation.make(elements), time.process_time, repeats) / elements
    count = cores()
    # Some backends split a batch over the cores by themselves, others leave that to the caller.
    splits = group.backend_name().startswith("native")
    with _threads(count if splits else 1), ThreadPoolExecutor(1 if splits else count) as pool:
        # Every core gets a whole batch, so that batches have the stated size in both cases.
        parts = [operation.make(elements * count)] if splits else [operation.make(elements)] * count

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
    note: Note = silent,
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
    columns: dict[str, Callable[[OperationCost], object]] = {
        "operation": lambda cost: cost.operation,
        "backend": lambda cost: cost.backend or "-",
        "batch": lambda cost: cost.elements,
        "one core, CPU us each": lambda cost: significant(cost.one_core),
        f"{count} cores, CPU us each": lambda cost: significant(cost.all_cores_cpu),
        f"{count} cores, wall us each": lambda cost: significant(cost.all_cores),
    }
    return BenchReport(
        "kernel",
        Axes("Operations on one core", "elements in a batch", "CPU seconds per batch"),
        list({(cost.operation, cost.backend): cost for cost in costs}.values()),
        columns,
        series_by(
            (cost for cost in costs if cost.operation in PLOTTED),
            lambda cost: f"{cost.operation} ({cost.backend})" if cost.backend else cost.operation,
            lambda cost: (cost.elements, cost.one_core * cost.elements / _MICRO),
        ),
        runs=[asdict(cost) for cost in costs],
    )
