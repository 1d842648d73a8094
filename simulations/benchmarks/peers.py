"""`bench peers`: the same job, files in and files out, through blindmatch and through other packages.

Every size runs all contenders one after the other on the same files, so that all ratios come from one run.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from blindmatch.protocol.errors import BlindmatchError, LocalError
from blindmatch.simulations.benchmarks import environments
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, mib, significant, silent
from blindmatch.simulations.benchmarks.peer_job import (
    OURS,
    Contender,
    ContenderCost,
    JobFiles,
    run_ours,
    run_package,
    write_files,
)
from blindmatch.simulations.benchmarks.plot import Axes, series_by

OVERLAP: Final = 0.05


@dataclass(frozen=True)
class Target:
    """The largest allowed ratio of our CPU to that of another contender, at one size."""

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
    """A contender that could not take part or failed, with the reason."""

    contender: str
    records: int
    reason: str


def interpreters(
    contenders: Sequence[Contender], given: Mapping[str, Path | None], cache: Path
) -> dict[str, Path]:
    """The interpreter of each contender's package, for those that are installed.

    Raises:
        LocalError: an interpreter was named that does not have the package.
    """
    interpreters = {}
    for name in dict.fromkeys(item.package for item in contenders):
        python = environments.find(environments.PACKAGES[name], given.get(name), cache)
        if python is not None:
            interpreters[name] = python
    return interpreters


def measure(
    sizes: Sequence[int],
    contenders: Sequence[Contender],
    pythons: Mapping[str, Path],
    *,
    overlap: float = OVERLAP,
    note: Note = silent,
) -> BenchReport:
    """Run everything and report.

    Args:
        sizes: records on each side.
        contenders: the other contenders.
        pythons: the interpreter of each contender's package.
        overlap: share of the records that both sides hold.
        note: receives progress messages.

    Raises:
        LocalError: our own side failed; a contender's failure is a remark of the report.
    """
    absent = [
        AbsentContender(
            item.name, 0, f"{item.package} is not installed; `blindmatch bench peers --install` does"
        )
        for item in contenders
        if item.package not in pythons
    ]
    for each in absent:
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
                    absent.append(outcome)
                else:
                    costs.append(outcome)
    return report(costs, absent, overlap)


def attempt(item: Contender, python: Path, files: JobFiles, folder: Path) -> ContenderCost | AbsentContender:
    """A contender's cost, or the reason why there is none: the failures of others are reported, not raised."""
    try:
        return run_package(item, python, files, folder)
    except (BlindmatchError, OSError, ValueError) as error:
        return AbsentContender(item.name, files.records, str(error))


def report(costs: Sequence[ContenderCost], absent: Sequence[AbsentContender], overlap: float) -> BenchReport:
    """The table, the plot and the remarks."""
    ours = {cost.records: cost for cost in costs if cost.contender == OURS}

    def ratio(cost: ContenderCost) -> object:
        return significant(cost.cpu / ours[cost.records].cpu) if cost.records in ours else ""

    def result(cost: ContenderCost) -> object:
        return cost.found if cost.found == cost.common else f"{cost.found:,} of {cost.common:,}: WRONG"

    columns: dict[str, Callable[[ContenderCost], object]] = {
        "records": lambda cost: cost.records,
        "contender": lambda cost: cost.contender,
        "CPU s": lambda cost: significant(cost.cpu),
        "receiver": lambda cost: significant(cost.receiver.cpu),
        "sender": lambda cost: significant(cost.sender.cpu),
        "wall s": lambda cost: significant(cost.wall),
        "MiB on the wire": lambda cost: mib(cost.octets),
        "MiB of memory": lambda cost: mib(max(cost.receiver.peak, cost.sender.peak)),
        "matched": result,
        "CPU, ours = 1": ratio,
    }
    remarks = [
        *verdicts(costs),
        *(
            f"{item.contender}{f' at {item.records:,}' if item.records else ''}: {item.reason}"
            for item in absent
        ),
        *parts(costs),
        f"{overlap:.1%} of the records are on both sides.",
        "CPU is user and system time of every process, start-up included; keys, certificates and agreements are created once and not counted.",
    ]
    return BenchReport(
        "peers",
        Axes("CPU of both sides, files in, files out", "records on each side", "CPU seconds"),
        costs,
        columns,
        series_by(costs, lambda cost: cost.contender, lambda cost: (cost.records, cost.cpu)),
        runs=[asdict(cost) | {"cpu": cost.cpu, "correct": cost.found == cost.common} for cost in costs],
        remarks=remarks,
    )


def verdicts(costs: Sequence[ContenderCost]) -> list[str]:
    """One line per target that this run covers: met or missed, with the ratio."""
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
    """Our own CPU by step, at the largest size."""
    ours = [cost for cost in costs if cost.contender == OURS]
    if not ours:
        return []
    last = max(ours, key=lambda cost: cost.records)
    steps = ", ".join(f"{name} {spent.cpu:.2f} s" for name, spent in last.steps.items())
    return [f"{OURS} at {last.records:,}: {steps}"]


def install(names: Sequence[str], cache: Path, note: Note) -> None:
    """Create an environment for each package.

    Raises:
        LocalError: a package cannot be installed; the others are installed nevertheless.
    """
    problems = []
    for name in names:
        try:
            environments.install(environments.PACKAGES[name], cache, note)
        except LocalError as error:
            problems.append(error)
    if problems:
        raise problems[0]
