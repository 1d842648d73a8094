"""`bench import`: rows per CPU second and peak memory of `collection import`, format by format, on invented files.

Each import is a command of its own. What a command costs before its first row is measured with files of one row in the same
run, and taken off the rate; the table shows both.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.benchmarks import input_files
from blindmatch.simulations.benchmarks.figures import BenchReport, mib, significant
from blindmatch.simulations.benchmarks.nodes import PairTerms, deploy
from blindmatch.simulations.benchmarks.plot import Axes, Series
from blindmatch.simulations.benchmarks.process_cost import ProcessCost, command
from blindmatch.simulations.drivers.node_process import NodeProcess

TARGET: Final = 10_000
"""Rows per CPU second."""
TELLING: Final = 0.25
"""CPU seconds beyond the start from which a rate means something."""

_WANTED: Final = 100
"""As a register, one line in so many belongs to a supplier."""


@dataclass(frozen=True)
class Format:
    """One kind of file, and how it is imported."""

    name: str
    kind: str
    write: Callable[[Path, int], int]
    register: bool = False
    """Whether it is a register beside a short list of suppliers."""


FORMATS: Final = {
    item.name: item
    for item in (
        Format("subjects-csv", "subjects", input_files.write_subjects),
        Format("suppliers-csv", "suppliers", input_files.write_suppliers),
        Format("psc-records", "suppliers", input_files.write_psc),
        Format("psc-register", "suppliers", input_files.write_psc, register=True),
        Format("officers-records", "suppliers", input_files.write_officers),
        Format("officers-register", "suppliers", input_files.write_officers, register=True),
    )
}


@dataclass(frozen=True)
class ImportCost:
    """One file's import."""

    form: str
    rows: int
    octets: int
    """Of the file."""
    records: int
    """In the collection."""
    spent: ProcessCost
    start: float
    """CPU seconds of the same command on one row."""

    @property
    def rate(self) -> float | None:
        """Rows per CPU second, without what a command costs before its first row; None when the rows cost too little to tell."""
        beyond = self.spent.cpu - self.start
        return self.rows / beyond if beyond >= TELLING else None

    @property
    def data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"rows_per_cpu_second": self.rate}


def chosen(names: Sequence[str]) -> list[Format]:
    """The formats of these names, or all.

    Raises:
        ConfigError: a name that no format has.
    """
    for name in names:
        if name not in FORMATS:
            raise ConfigError(f"no format {name!r}", hint=f"There are: {', '.join(FORMATS)}.")
    return [FORMATS[name] for name in names or FORMATS]


def measure(
    sizes: Sequence[int], formats: Sequence[Format], *, note: Callable[[str], None] = lambda _text: None
) -> BenchReport:
    """Import files of so many rows in each format, each into a collection that is deleted again.

    Raises:
        LocalError: an import failed.
    """
    costs = []
    with tempfile.TemporaryDirectory(prefix="blindmatch-import-") as name:
        folder = Path(name)
        node = deploy(folder, PairTerms(tokens=1)).council
        for form in formats:
            start = _run(node, folder, form, 1, 0.0).spent.cpu
            for rows in sizes:
                note(f"{form.name}, {rows:,} rows ...")
                costs.append(_run(node, folder, form, rows, start))
    return report(costs)


def _run(node: NodeProcess, folder: Path, form: Format, rows: int, start: float) -> ImportCost:
    source = folder / f"{form.name}.txt"
    written = form.write(source, rows)
    words = ["collection", "import", str(source), "--kind", form.kind, "--name", "bench", "--json"]
    if form.register:
        suppliers = folder / "suppliers.csv"
        input_files.write_suppliers(suppliers, max(rows // _WANTED, 1))
        words = [*words[:2], str(suppliers), *words[3:], "--register", str(source)]
    spent = command(node, *words).wait()
    listed = node.run("collection", "list", "--json").data
    records = next(int(each["records"]) for each in listed if each["name"] == "bench")
    node.run("collection", "delete", "bench", "--yes")
    cost = ImportCost(form.name, written, source.stat().st_size, records, spent, start)
    source.unlink()
    return cost


def report(costs: Sequence[ImportCost]) -> BenchReport:
    """The table and the plot."""
    columns = ("format", "rows", "file MiB", "records", "CPU s", "of it start", "rows per CPU s", "peak MiB")
    rows = [
        (
            cost.form,
            cost.rows,
            mib(cost.octets),
            cost.records,
            significant(cost.spent.cpu),
            significant(cost.start),
            "too few rows" if cost.rate is None else round(cost.rate),
            mib(cost.spent.peak),
        )
        for cost in costs
    ]
    names = list(dict.fromkeys(cost.form for cost in costs))
    series = [
        Series(name, tuple((cost.rows, cost.spent.cpu) for cost in costs if cost.form == name))
        for name in names
    ]
    largest = max((cost.rows for cost in costs), default=0)
    slow = [c.form for c in costs if c.rows == largest and c.rate is not None and c.rate < TARGET]
    remarks = [f"target of {TARGET:,} rows per CPU second missed by {', '.join(slow)}"] if slow else []
    return BenchReport(
        "import",
        Axes("Import, one command per file", "rows of the file", "CPU seconds, start included"),
        columns,
        tuple(rows),
        tuple(series),
        tuple(cost.data for cost in costs),
        tuple(remarks),
    )
