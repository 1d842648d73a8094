"""`bench peers`: the same job, files in and files out, through blindmatch and through packages that people use today.

Every size runs all contenders one after the other on the same files, so that ratios come from one run.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindmatch.protocol.errors import BlindmatchError, ConfigError, LocalError
from blindmatch.simulations.benchmarks import environments
from blindmatch.simulations.benchmarks.figures import BenchReport, mib, significant
from blindmatch.simulations.benchmarks.peer_job import (
    CONTENDERS,
    OURS,
    USUAL,
    Contender,
    ContenderCost,
    JobFiles,
    run_ours,
    run_package,
    write_files,
)
from blindmatch.simulations.benchmarks.plot import Axes, Series

OVERLAP: Final = 0.05
Note = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """At one size, our CPU per CPU of another contender, at most."""

    records: int
    contender: str
    ratio: float


TARGETS: Final = (
    Target(10_000, "spu-rr22", 1.0),
    Target(1_000_000, "spu-rr22", 1.0),
    Target(1_000_000, "spu-ecdh-25519", 1 / 2),
    Target(1_000_000, "openmined-psi", 1 / 15),
)


@dataclass(frozen=True)
class AbsentContender:
    """A contender that could not take part, or failed, and why."""

    contender: str
    records: int
    reason: str


def chosen(names: Sequence[str]) -> list[Contender]:
    """The contenders of these names, or the usual ones.

    Raises:
        ConfigError: a name that nobody has.
    """
    for name in names:
        if name not in CONTENDERS:
            raise ConfigError(f"no contender {name!r}", hint=f"There are: {', '.join(CONTENDERS)}.")
    return [CONTENDERS[name] for name in names or USUAL]


def interpreters(
    contenders: Sequence[Contender], given: Mapping[str, Path | None], cache: Path
) -> dict[str, Path]:
    """Where each contender's package is installed; those of whom nothing is found are not in it.

    Raises:
        LocalError: an interpreter was named, and has no such package.
    """
    found = {}
    for name in dict.fromkeys(item.package for item in contenders):
        python = environments.find(environments.PACKAGES[name], given.get(name), cache)
        if python is not None:
            found[name] = python
    return found


def measure(
    sizes: Sequence[int],
    contenders: Sequence[Contender],
    pythons: Mapping[str, Path],
    *,
    overlap: float = OVERLAP,
    note: Note = lambda _text: None,
) -> BenchReport:
    """Run everything and report.

    Args:
        sizes: records on each side.
        contenders: beside ourselves.
        pythons: the interpreter of each contender's package.
        overlap: share of the records that both sides hold.
        note: told what happens.

    Raises:
        LocalError: our own side failed; a contender's failure is a remark of the report.
    """
    missed = [
        AbsentContender(
            item.name, 0, f"{item.package} is not installed; `blindmatch bench peers --install` does"
        )
        for item in contenders
        if item.package not in pythons
    ]
    for each in missed:
        note(f"{each.contender}: {each.reason}")
    costs: list[ContenderCost] = []
    for records in sizes:
        with tempfile.TemporaryDirectory(prefix="blindmatch-peers-") as name:
            folder = Path(name)
            files = write_files(folder / "files", records, overlap)
            note(f"{records:,} x {records:,}: {OURS} ...")
            costs.append(run_ours(files, folder / OURS))
            for item in contenders:
                if item.package not in pythons:
                    continue
                note(f"{records:,} x {records:,}: {item.name} ...")
                outcome = attempt(item, pythons[item.package], files, folder / item.name)
                if isinstance(outcome, AbsentContender):
                    note(f"{item.name}: {outcome.reason}")
                    missed.append(outcome)
                else:
                    costs.append(outcome)
    return report(costs, missed, overlap)


def attempt(item: Contender, python: Path, files: JobFiles, folder: Path) -> ContenderCost | AbsentContender:
    """A contender's cost, or why there is none: others' failures are reported, not raised."""
    try:
        return run_package(item, python, files, folder)
    except (BlindmatchError, OSError, ValueError) as error:
        return AbsentContender(item.name, files.records, str(error))


_COLUMNS: Final = (
    "records",
    "contender",
    "CPU s",
    "receiver",
    "sender",
    "wall s",
    "MiB on the wire",
    "MiB of memory",
    "found",
    "CPU, ours = 1",
)


def report(costs: Sequence[ContenderCost], missed: Sequence[AbsentContender], overlap: float) -> BenchReport:
    """The table, the plot, and what is to be said of them."""
    ours = {cost.records: cost for cost in costs if cost.contender == OURS}
    rows = [
        (
            cost.records,
            cost.contender,
            significant(cost.cpu),
            significant(cost.receiver.cpu),
            significant(cost.sender.cpu),
            significant(cost.wall),
            mib(cost.octets),
            mib(max(cost.receiver.peak, cost.sender.peak)),
            cost.found if cost.found == cost.common else f"{cost.found:,} of {cost.common:,}: WRONG",
            significant(cost.cpu / ours[cost.records].cpu) if cost.records in ours else "",
        )
        for cost in costs
    ]
    names = list(dict.fromkeys(cost.contender for cost in costs))
    series = [
        Series(name, tuple((cost.records, cost.cpu) for cost in costs if cost.contender == name))
        for name in names
    ]
    remarks = [
        *verdicts(costs),
        *(
            f"{item.contender}{f' at {item.records:,}' if item.records else ''}: {item.reason}"
            for item in missed
        ),
        *parts(costs),
        f"{overlap:.1%} of the records are on both sides.",
        "CPU is user and system time of every process, start-up included; keys, certificates and agreements are made once and not counted.",
    ]
    return BenchReport(
        "peers",
        Axes("CPU of both sides, files in, files out", "records on each side", "CPU seconds"),
        _COLUMNS,
        tuple(rows),
        tuple(series),
        tuple(cost.data for cost in costs),
        tuple(remarks),
    )


def verdicts(costs: Sequence[ContenderCost]) -> list[str]:
    """One line per target that this run can speak of: met or missed, by how much."""
    spent = {(cost.contender, cost.records): cost.cpu for cost in costs}
    lines = []
    for target in TARGETS:
        ours, theirs = spent.get((OURS, target.records)), spent.get((target.contender, target.records))
        if ours is not None and theirs:
            ratio = ours / theirs
            verdict = "met" if ratio <= target.ratio else "MISSED"
            lines.append(
                f"target at {target.records:,}: at most {target.ratio:.3g} of the CPU of {target.contender}; "
                f"it is {ratio:.3g}: {verdict}"
            )
    return lines


def parts(costs: Sequence[ContenderCost]) -> list[str]:
    """What our own CPU went into, at the largest size."""
    ours = [cost for cost in costs if cost.contender == OURS]
    if not ours:
        return []
    last = max(ours, key=lambda cost: cost.records)
    steps = ", ".join(f"{name} {spent.cpu:.2f} s" for name, spent in last.steps.items())
    return [f"{OURS} at {last.records:,}: {steps}"]


def install(names: Sequence[str], cache: Path, note: Note) -> None:
    """Make an environment for each package.

    Raises:
        LocalError: one cannot be installed; the others are installed all the same.
    """
    problems = []
    for name in names:
        try:
            environments.install(environments.PACKAGES[name], cache, note)
        except LocalError as error:
            problems.append(error)
    if problems:
        raise problems[0]
