"""`bench check`: detects performance regressions by figures that do not depend on the speed of the machine, and a history file.

There are two measures. A *ratio* is the CPU time of a workload over that of a fixed loop, which alternates with it in the same
process: `hashlib.blake2b` for workloads of compiled code, a loop of plain Python for workloads of the interpreter. With
`--instructions` (requires `valgrind`), *instructions* per element are counted too: they repeat to a fraction of a per cent,
but valgrind does not support AVX-512, so they are those of the portable code. Figures are stored per Python version, kind of
machine and group backend, because neither measure is valid for another.
"""

import hashlib
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol import group
from blindmatch.protocol.errors import InputError, LocalError
from blindmatch.simulations.benchmarks.figures import Note, significant, silent
from blindmatch.simulations.benchmarks.workloads import WORKS, Work, prepared

HISTORY: Final = Path(__file__).resolve().with_name("history.json")
FORMAT: Final = 1
RATIO_MARGIN: Final = 1.30
"""The largest allowed ratio as a multiple of the stored one: caches and other processes change it by a tenth, rarely by two."""

INSTRUCTION_MARGIN: Final = 1.03
ATTEMPTS: Final = 4
"""A ratio that is too high is measured again; the lowest counts."""

TURNS: Final = 7
SHORT: Final = 0.03
MAX_ENTRIES: Final = 20
"""Entries per environment: the file remains small, and shows the change of figures over time."""

COLUMNS: Final = ("workload", "measure", "now", "stored", "now / stored", "at most", "")
_LOOP_ROUNDS: Final = 4
_COUNTER_SECONDS: Final = 900
_COLLECTED: Final = re.compile(r"Collected : (\d+)")
_TEXTS: Final = tuple(f"{number:x}" for number in range(10_000))
Clock = Callable[[], float]


def environment_name() -> str:
    """The environment of figures: interpreter, kind of machine, group backend."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version}, {platform.machine()}, {group.backend_name()}"


def compiled_loop() -> None:
    """The fixed workload of compiled code: BLAKE2b over 8 MiB."""
    block = bytes(1 << 20)
    hasher = hashlib.blake2b()
    for _ in range(8):
        hasher.update(block)
    hasher.digest()


def python_loop() -> int:
    """The fixed workload of the interpreter: short texts, a dictionary, calls."""
    total = 0
    for _ in range(_LOOP_ROUNDS):
        table = {text: index for index, text in enumerate(_TEXTS)}
        total += sum(table[text.strip().lower()] for text in _TEXTS)
    return total


def ratio(work: Work, *, clock: Clock = time.process_time, turns: int = TURNS) -> float:
    """CPU per element of a workload, times a million, over CPU of the fixed loop: the lowest of both in several turns.

    A workload that takes less than `SHORT` seconds runs several times in each turn.
    """
    loop: Callable[[], object] = python_loop if work.python else compiled_loop
    with prepared(work, work.size) as call:
        call()  # caches fill, libraries load
        times = max(1, math.ceil(SHORT / max(_timed(call, 1, clock), 1e-6)))
        pairs = [(_timed(loop, 1, clock), _timed(call, times, clock)) for _ in range(turns)]
    fixed, ours = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    return ours / times / work.size / fixed * 1e6


def _timed(call: Callable[[], object], times: int, clock: Clock) -> float:
    started = clock()
    for _ in range(times):
        call()
    return clock() - started


def count_instructions(work: Work) -> float:
    """Instructions per element, counted by valgrind in a process of its own.

    Raises:
        LocalError: valgrind failed, or is not installed.
    """
    small, large = (_count(work.name, size) for size in work.steps)
    return (large - small) / (work.steps[1] - work.steps[0])


def _count(name: str, size: int) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise LocalError("valgrind is not installed", hint="Install it, or omit --instructions.")
    arguments = [valgrind, "--tool=callgrind", f"--callgrind-out-file={os.devnull}", sys.executable]
    process = subprocess.run(  # noqa: S603 -- valgrind on our own module
        [*arguments, "-m", "blindmatch.simulations.benchmarks.workloads", name, str(size)],
        env=os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_COUNTER_SECONDS,
        check=False,
    )
    count = _COLLECTED.search(process.stderr)
    if process.returncode != 0 or count is None:
        raise LocalError(f"valgrind gave no count for {name}: {' / '.join(process.stderr.splitlines()[-2:])}")
    return int(count.group(1))


@dataclass(frozen=True)
class Measurement:
    """One measure of this run beside the stored one."""

    name: str
    kind: str
    """`ratio` or `instructions`."""
    now: float
    stored: float | None
    margin: float

    @property
    def regressed(self) -> bool:
        """Whether it is above the margin."""
        return self.stored is not None and self.now > self.stored * self.margin

    @property
    def row(self) -> tuple[object, ...]:
        """The row of the table."""
        now = (self.name, self.kind, significant(self.now, 4))
        if self.stored is None:
            return (*now, "-", "-", self.margin, "new")
        verdict = "SLOWER" if self.regressed else "ok"
        return (*now, significant(self.stored, 4), significant(self.now / self.stored), self.margin, verdict)


@dataclass(frozen=True)
class Outcome:
    """The result of a whole check."""

    environment: str
    figures: tuple[Measurement, ...]
    problems: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """The row of the table."""
        return [figure.row for figure in self.figures]

    @property
    def data(self) -> dict[str, Any]:
        """The values for --json."""
        figures = [
            {
                "name": figure.name,
                "kind": figure.kind,
                "now": figure.now,
                "kept": figure.stored,
                "margin": figure.margin,
                "dearer": figure.regressed,
            }
            for figure in self.figures
        ]
        return {"environment": self.environment, "figures": figures, "problems": list(self.problems)}


class History:
    """The stored figures: entries in the order of their addition.

    Raises:
        InputError: the file exists and is not a history.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        if not path.exists():
            return
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            known = data["format"] == FORMAT
            self.entries = [_checked(entry) for entry in data["entries"]] if known else []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is not a history of figures: {error}") from None
        if not known:
            raise InputError(f"{path} is a history of figures in an unknown format: {data['format']}")

    def newest(self, environment: str) -> dict[str, dict[str, float]]:
        """The newest figures of an environment by kind and name, each from the last entry that has it."""
        newest: dict[str, dict[str, float]] = {"ratio": {}, "instructions": {}}
        for entry in self.entries:
            if entry["environment"] == environment:
                for kind, figures in newest.items():
                    figures.update(entry[kind])
        return newest

    def add(self, environment: str, figures: Sequence[Measurement], day: str) -> None:
        """Append an entry and write the file; the oldest entries of the environment are dropped above `MAX_ENTRIES`."""
        entry: dict[str, Any] = {"environment": environment, "day": day}
        for kind in ("ratio", "instructions"):
            entry[kind] = {f.name: significant(f.now, 4) for f in figures if f.kind == kind}
        entries = [*self.entries, entry]
        own = [each for each in entries if each["environment"] == environment]
        dropped = own[:-MAX_ENTRIES]
        self.entries = [each for each in entries if each not in dropped]
        text = json.dumps({"format": FORMAT, "entries": self.entries}, indent=1, ensure_ascii=False)
        write_atomically(self.path, (text + "\n").encode(), 0o644)


def _checked(entry: Mapping[str, Any]) -> dict[str, Any]:
    figures = {
        kind: {str(name): float(value) for name, value in entry[kind].items()}
        for kind in ("ratio", "instructions")
    }
    return {"environment": str(entry["environment"]), "day": str(entry["day"])} | figures


def run(
    path: Path = HISTORY,
    *,
    update: bool = False,
    instructions: bool = False,
    works: Mapping[str, Work] = WORKS,
    measure: Callable[[Work], float] = ratio,
    note: Note = silent,
) -> Outcome:
    """Measure all workloads and compare; with `update`, store the figures of this run.

    Args:
        path: the history file.
        update: append to it; higher figures are then not a problem.
        instructions: count instructions too.
        works: the workloads.
        measure: returns the ratio of a workload.
        note: receives progress messages.

    Raises:
        InputError: the history file cannot be used.
        LocalError: instructions cannot be counted.
    """
    history = History(path)
    environment = environment_name()
    stored = history.newest(environment)
    figures = []
    for work in works.values():
        note(f"{work.name} ...")
        figures.append(_ratio_figure(work, stored["ratio"].get(work.name), measure))
        if instructions and work.counted:
            count, known = count_instructions(work), stored["instructions"].get(work.name)
            figures.append(Measurement(work.name, "instructions", count, known, INSTRUCTION_MARGIN))
    if update:
        history.add(environment, figures, datetime.now(UTC).date().isoformat())
        return Outcome(environment, tuple(figures), ())
    return Outcome(environment, tuple(figures), tuple(_problems(environment, figures)))


def _ratio_figure(work: Work, stored: float | None, measure: Callable[[Work], float]) -> Measurement:
    """The lowest of as many attempts as are needed to come within the margin; of two where no figure is stored."""
    now = measure(work)
    for attempt in range(1, ATTEMPTS):
        if attempt > 1 if stored is None else now <= stored * RATIO_MARGIN:
            break
        now = min(now, measure(work))
    return Measurement(work.name, "ratio", now, stored, RATIO_MARGIN)


def _problems(environment: str, figures: Sequence[Measurement]) -> list[str]:
    if figures and all(figure.stored is None for figure in figures):
        return [
            f"no figures are stored for {environment}: store those of this run with `blindmatch bench check --update`"
        ]
    return [
        f"{figure.name}: {figure.kind} {figure.now:.4g}, {figure.now / figure.stored:.2f} times the stored {figure.stored:.4g}; "
        f"at most {figure.margin:.2f} times is allowed. Make it faster, or store the new figure with --update and state the reason"
        for figure in figures
        if figure.stored is not None and figure.regressed
    ]
