"""`bench check`: has this code become dearer? Figures that do not depend on the machine's pace, held against a history file.

Two measures. A *ratio* is the CPU time of a piece of work over that of a fixed loop, which runs in turns with it in the same
process: `hashlib.blake2b` for work that is compiled code, a loop of plain Python for work that the interpreter does. Where
`valgrind` is installed and it is asked for, *instructions* per element are counted too: they repeat to a fraction of a per cent,
but valgrind knows no AVX-512, so they are those of the portable code. Figures are kept per Python version, kind of machine and
group backend, because neither measure carries over from one to another.
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
from blindmatch.simulations.benchmarks.figures import significant
from blindmatch.simulations.benchmarks.workloads import WORKS, Work, prepared

HISTORY: Final = Path(__file__).resolve().with_name("history.json")
FORMAT: Final = 1
RATIO_MARGIN: Final = 1.30
"""A ratio may be so many times the kept one: caches and neighbours move it by a tenth, rarely by two."""

INSTRUCTION_MARGIN: Final = 1.03
ATTEMPTS: Final = 4
"""A ratio that is too high is measured again; the least counts."""

TURNS: Final = 7
SHORT: Final = 0.03
KEPT: Final = 20
"""Entries per environment: the file stays small, and shows how figures crept."""

COLUMNS: Final = ("measure", "kind", "now", "kept", "now / kept", "at most", "")
_LOOP_ROUNDS: Final = 4
_COUNTER_SECONDS: Final = 900
_COLLECTED: Final = re.compile(r"Collected : (\d+)")
_TEXTS: Final = tuple(f"{number:x}" for number in range(10_000))
Clock = Callable[[], float]
Note = Callable[[str], None]


def environment_name() -> str:
    """What figures depend on: interpreter, kind of machine, group backend."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version}, {platform.machine()}, {group.backend_name()}"


def compiled_loop() -> None:
    """The fixed work of compiled code: BLAKE2b over 8 MiB."""
    block = bytes(1 << 20)
    hasher = hashlib.blake2b()
    for _ in range(8):
        hasher.update(block)
    hasher.digest()


def python_loop() -> int:
    """The fixed work of the interpreter: short texts, a dictionary, calls."""
    total = 0
    for _ in range(_LOOP_ROUNDS):
        table = {text: index for index, text in enumerate(_TEXTS)}
        total += sum(table[text.strip().lower()] for text in _TEXTS)
    return total


def ratio(work: Work, *, clock: Clock = time.process_time, turns: int = TURNS) -> float:
    """CPU per element of a piece of work, times a million, over CPU of the fixed loop: the least of both in turns.

    A piece of work that is over sooner than `SHORT` seconds is done several times in each turn.
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


def instructions(work: Work) -> float:
    """Instructions per element, counted by valgrind in a process of its own.

    Raises:
        LocalError: valgrind failed, or is not there.
    """
    small, large = (_count(work.name, size) for size in work.steps)
    return (large - small) / (work.steps[1] - work.steps[0])


def _count(name: str, size: int) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise LocalError("valgrind is not installed", hint="Leave out --instructions, or install it.")
    words = [valgrind, "--tool=callgrind", f"--callgrind-out-file={os.devnull}", sys.executable]
    done = subprocess.run(  # noqa: S603 -- valgrind on our own module
        [*words, "-m", "blindmatch.simulations.benchmarks.workloads", name, str(size)],
        env=os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_COUNTER_SECONDS,
        check=False,
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise LocalError(f"valgrind gave no count for {name}: {' / '.join(done.stderr.splitlines()[-2:])}")
    return int(found.group(1))


@dataclass(frozen=True)
class Measurement:
    """One measure of this run beside the kept one."""

    name: str
    kind: str
    """`ratio` or `instructions`."""
    now: float
    kept: float | None
    margin: float

    @property
    def dearer(self) -> bool:
        """Whether it is above the margin."""
        return self.kept is not None and self.now > self.kept * self.margin

    @property
    def row(self) -> tuple[object, ...]:
        """For the table."""
        if self.kept is None:
            return (self.name, self.kind, significant(self.now, 4), "-", "-", self.margin, "new")
        share = significant(self.now / self.kept)
        verdict = "DEARER" if self.dearer else "ok"
        return (
            self.name,
            self.kind,
            significant(self.now, 4),
            significant(self.kept, 4),
            share,
            self.margin,
            verdict,
        )


@dataclass(frozen=True)
class Outcome:
    """A whole check."""

    environment: str
    figures: tuple[Measurement, ...]
    problems: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """For the table."""
        return [figure.row for figure in self.figures]

    @property
    def data(self) -> dict[str, Any]:
        """For --json."""
        figures = [vars(figure) | {"dearer": figure.dearer} for figure in self.figures]
        return {"environment": self.environment, "figures": figures, "problems": list(self.problems)}


class History:
    """The kept figures: entries in the order in which they were added.

    Raises:
        InputError: the file is there and is no history.
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
            raise InputError(f"{path}: no history of figures: {error}") from None
        if not known:
            raise InputError(f"{path}: a history of figures in an unknown format: {data['format']}")

    def kept(self, environment: str) -> dict[str, dict[str, float]]:
        """The newest figures of an environment by kind and name, each from the last entry that has it."""
        kept: dict[str, dict[str, float]] = {"ratio": {}, "instructions": {}}
        for entry in self.entries:
            if entry["environment"] == environment:
                for kind, figures in kept.items():
                    figures.update(entry[kind])
        return kept

    def add(self, environment: str, figures: Sequence[Measurement], day: str) -> None:
        """Append an entry and write the file; the oldest entries of the environment go when there are too many."""
        entry: dict[str, Any] = {"environment": environment, "day": day}
        for kind in ("ratio", "instructions"):
            entry[kind] = {f.name: significant(f.now, 4) for f in figures if f.kind == kind}
        entries = [*self.entries, entry]
        own = [each for each in entries if each["environment"] == environment]
        gone = own[:-KEPT]
        self.entries = [each for each in entries if each not in gone]
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
    note: Note = lambda _text: None,
) -> Outcome:
    """Measure everything, compare, and with `update` keep this run's figures.

    Args:
        path: the history file.
        update: append to it; dearer figures are then no problem.
        instructions: count instructions too.
        works: what to measure.
        measure: gives a work's ratio.
        note: told what happens.

    Raises:
        InputError: the history file cannot be used.
        LocalError: instructions cannot be counted.
    """
    history = History(path)
    environment = environment_name()
    kept = history.kept(environment)
    figures = []
    for work in works.values():
        note(f"{work.name} ...")
        figures.append(_ratio_figure(work, kept["ratio"].get(work.name), measure))
        if instructions and work.counted:
            count = _instructions(work)
            figures.append(
                Measurement(
                    work.name, "instructions", count, kept["instructions"].get(work.name), INSTRUCTION_MARGIN
                )
            )
    if update:
        history.add(environment, figures, datetime.now(UTC).date().isoformat())
        return Outcome(environment, tuple(figures), ())
    return Outcome(environment, tuple(figures), tuple(_problems(environment, figures)))


_instructions = instructions


def _ratio_figure(work: Work, kept: float | None, measure: Callable[[Work], float]) -> Measurement:
    """The least of as many attempts as it takes to come within the margin; of two, where nothing is kept yet."""
    now = measure(work)
    for attempt in range(1, ATTEMPTS):
        if attempt > 1 if kept is None else now <= kept * RATIO_MARGIN:
            break
        now = min(now, measure(work))
    return Measurement(work.name, "ratio", now, kept, RATIO_MARGIN)


def _problems(environment: str, figures: Sequence[Measurement]) -> list[str]:
    if figures and all(figure.kept is None for figure in figures):
        return [
            f"no figures are kept for {environment}: keep this run's with `blindmatch bench check --update`"
        ]
    return [
        f"{figure.name}: {figure.kind} {figure.now:.4g}, {figure.now / figure.kept:.2f} times the kept {figure.kept:.4g}; "
        f"at most {figure.margin:.2f} times is allowed. Make it cheaper, or say why not and keep it with --update"
        for figure in figures
        if figure.kept is not None and figure.dearer
    ]
