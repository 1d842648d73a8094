"""The report of every benchmark: figures for programs, a table, and a plot of cost against n."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol import group
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.benchmarks.loop import cores
from blindmatch.simulations.benchmarks.plot import Axes, Series, draw, sketch

MIB = 1 << 20
_LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
"""The load of the machine at the start."""

Row = Sequence[object]
Item = TypeVar("Item")
Note = Callable[[str], None]
"""Receives progress messages."""


def silent(_text: str) -> None:
    """Drops progress messages."""


def select(known: Mapping[str, Item], names: Sequence[str], noun: str, default: Iterable[str]) -> list[Item]:
    """The items of these names; without names, those of the default names.

    Raises:
        ConfigError: there is no item of a name.
    """
    for name in names:
        if name not in known:
            raise ConfigError(f"no {noun} {name!r}", hint=f"Available: {', '.join(known)}.")
    return [known[name] for name in names or default]


def machine() -> dict[str, Any]:
    """The machine and the software of the figures."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blindmatch": version("blindmatch"),
        "group_backend": group.backend_name(),
        "load_before": round(_LOAD, 2),
    }


def busy(load: float = _LOAD) -> list[str]:
    """A remark when other processes keep the machine busy."""
    if load < cores() / 2:
        return []
    return [
        f"the machine was busy before ({load:.1f} processes on {cores()} cores): wall times are not reliable, CPU times are high"
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@dataclass(frozen=True)
class BenchReport:
    """The result of one workload, at one or more sizes."""

    workload: str
    axes: Axes
    costs: Sequence[Any]
    """Dataclasses, one per measurement."""
    columns: Mapping[str, Callable[[Any], object]]
    """By heading, the value of a cost in the table."""
    series: Sequence[Series]
    runs: Sequence[Mapping[str, Any]] | None = None
    """The figures for programs; None: the fields of each cost."""
    remarks: Sequence[str] = ()
    """Sentences below the table: targets met or missed, workloads that could not be measured."""
    machine: Mapping[str, Any] = field(default_factory=machine)

    @property
    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [tuple(value(cost) for value in self.columns.values()) for cost in self.costs]

    @property
    def data(self) -> dict[str, Any]:
        """The values for --json."""
        return {
            "workload": self.workload,
            "machine": dict(self.machine),
            "runs": [asdict(cost) for cost in self.costs] if self.runs is None else list(self.runs),
            "remarks": [*self.remarks, *busy(self.machine["load_before"])],
        }

    def sketch(self) -> list[str]:
        """The plot in text."""
        return sketch(self.axes, self.series)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write `bench-WORKLOAD.json` and `bench-WORKLOAD.svg`; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        figures = folder / f"bench-{self.workload}.json"
        picture = folder / f"bench-{self.workload}.svg"
        write_atomically(
            figures, (json.dumps(self.data, indent=2, ensure_ascii=False) + "\n").encode(), 0o644
        )
        write_atomically(picture, draw(self.axes, self.series).encode(), 0o644)
        return figures, picture


def significant(value: float, digits: int = 3) -> float:
    """A figure for a table, rounded to significant digits."""
    return float(f"{value:.{digits}g}")


def mib(octets: float) -> str:
    """Bytes in MiB for a table."""
    return f"{octets / MIB:,.1f}" if octets < 100 * MIB else f"{octets / MIB:,.0f}"
