"""`bench import`: rows per CPU second and peak memory of `collection import`, format by format, on invented files.

Each import is a command of its own. The cost of a command before its first row is measured with files of one row in the same
run, and subtracted for the rate; the table shows both.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from blindmatch.simulations.benchmarks import input_files
from blindmatch.simulations.benchmarks.figures import BenchReport, Note, mib, significant, silent
from blindmatch.simulations.benchmarks.nodes import PairTerms, deploy
from blindmatch.simulations.benchmarks.plot import Axes, series_by
from blindmatch.simulations.benchmarks.process_cost import ProcessCost, command
from blindmatch.simulations.drivers.node_process import NodeProcess

TARGET: Final = 10_000
"""Rows per CPU second."""
MEASURABLE: Final = 0.25
"""The CPU seconds beyond the start that a reliable rate requires."""

_WANTED: Final = 100
"""In a register, one line in so many belongs to a supplier."""


@dataclass(frozen=True)
class Format:
    """One kind of file, and the form of its import."""

    name: str
    kind: str
    write: Callable[[Path, int], int]
    register: bool = False
    """Whether it is imported as a register beside a short list of suppliers."""


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
        """Rows per CPU second, without the cost before the first row; None when the rows cost too little to measure."""
        beyond = self.spent.cpu - self.start
        return self.rows / beyond if beyond >= MEASURABLE else None


def measure(sizes: Sequence[int], formats: Sequence[Format], *, note: Note = silent) -> BenchReport:
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
    arguments = ["collection", "import", str(source), "--kind", form.kind, "--name", "bench", "--json"]
    if form.register:
        suppliers = folder / "suppliers.csv"
        input_files.write_suppliers(suppliers, max(rows // _WANTED, 1))
        arguments = [*arguments[:2], str(suppliers), *arguments[3:], "--register", str(source)]
    spent = command(node, *arguments).wait()
    listed = node.data("collection", "list")
    records = next(int(each["records"]) for each in listed if each["name"] == "bench")
    node.run("collection", "delete", "bench", "--yes")
    cost = ImportCost(form.name, written, source.stat().st_size, records, spent, start)
    source.unlink()
    return cost


def report(costs: Sequence[ImportCost]) -> BenchReport:
    """The table and the plot."""
    columns: dict[str, Callable[[ImportCost], object]] = {
        "format": lambda cost: cost.form,
        "rows": lambda cost: cost.rows,
        "file MiB": lambda cost: mib(cost.octets),
        "records": lambda cost: cost.records,
        "CPU s": lambda cost: significant(cost.spent.cpu),
        "of it start": lambda cost: significant(cost.start),
        "rows per CPU s": lambda cost: "too few rows" if cost.rate is None else round(cost.rate),
        "peak MiB": lambda cost: mib(cost.spent.peak),
    }
    largest = max((cost.rows for cost in costs), default=0)
    slow = [c.form for c in costs if c.rows == largest and c.rate is not None and c.rate < TARGET]
    return BenchReport(
        "import",
        Axes("Import, one command per file", "rows of the file", "CPU seconds, start included"),
        costs,
        columns,
        series_by(costs, lambda cost: cost.form, lambda cost: (cost.rows, cost.spent.cpu)),
        runs=[asdict(cost) | {"rows_per_cpu_second": cost.rate} for cost in costs],
        remarks=[f"target of {TARGET:,} rows per CPU second missed by {', '.join(slow)}"] if slow else [],
    )
