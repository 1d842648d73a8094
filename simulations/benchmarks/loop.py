"""The bare loop: the group operations of an n x n comparison and nothing else, on every core at once.

Per element the receiver hashes, blinds and unblinds, and the sender hashes its own, evaluates its own and evaluates
the receiver's: 2 maps to the group and 4 multiplications. No hashing to bytes, no tags, no files, no network.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from blindmatch.protocol import group
from blindmatch.protocol.limits import LIMITS, UNIFORM_BYTES


@dataclass(frozen=True)
class LoopCost:
    """Seconds for n elements a side. `cpu` is summed over the processes, `wall` is the slowest one's."""

    cpu: float
    wall: float
    processes: int


def cores() -> int:
    """The number of cores that this process can use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(elements: int) -> tuple[float, float]:
    """The operations for `elements` a side in this process; returns CPU and wall seconds without the set-up."""
    group.use_threads(1)
    random = np.random.default_rng(1)
    chunk = min(elements, LIMITS.chunk_elements)
    uniform = random.integers(0, 256, (chunk, UNIFORM_BYTES), dtype=np.uint8)
    scalars = group.scalars_from_uniform(random.integers(0, 256, (chunk, UNIFORM_BYTES), dtype=np.uint8))
    secret = np.ascontiguousarray(scalars[0])
    cpu, wall = time.process_time(), time.perf_counter()
    for start in range(0, elements, chunk):
        count = min(chunk, elements - start)
        part, blinds = uniform[:count], scalars[:count]
        blinded = group.multiply_uniform_each(part, blinds)  # receiver: blind
        evaluated = group.multiply(blinded, secret)  # sender: evaluate the receiver's
        group.multiply_uniform(part, secret)  # sender: evaluate its own
        group.multiply_each(evaluated, blinds)  # receiver: unblind
    return time.process_time() - cpu, time.perf_counter() - wall


def measure(elements: int) -> LoopCost:
    """Split the operations over one process per core and wait for all of them."""
    count = min(cores(), max(1, elements))
    shares = [elements // count + (place < elements % count) for place in range(count)]
    arguments = [sys.executable, "-m", "blindmatch.simulations.benchmarks.loop"]
    workers = [
        subprocess.Popen([*arguments, str(share)], stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own module
        for share in shares
    ]
    figures = []
    for worker in workers:
        out, _ = worker.communicate()
        if worker.returncode != 0:
            raise RuntimeError(f"the bare loop ended with status {worker.returncode}")
        figures.append(json.loads(out))
    return LoopCost(
        cpu=sum(figure["cpu"] for figure in figures),
        wall=max(figure["wall"] for figure in figures),
        processes=count,
    )


if __name__ == "__main__":
    cpu_seconds, wall_seconds = run(int(sys.argv[1]))
    sys.stdout.write(json.dumps({"cpu": cpu_seconds, "wall": wall_seconds}) + "\n")
