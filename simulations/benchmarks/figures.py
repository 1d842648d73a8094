"""What every measurement ends with: figures for programs, a table, and a plot of cost against n."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol import group
from blindmatch.simulations.benchmarks.loop import cores
from blindmatch.simulations.benchmarks.plot import Axes, Series, draw, sketch

MIB = 1 << 20
_LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
"""What the machine did before we began."""
Row = Sequence[object]


def machine() -> dict[str, Any]:
    """Where the figures come from."""
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
    """A remark, when others keep the machine busy."""
    if load < cores() / 2:
        return []
    return [
        f"the machine was busy before ({load:.1f} processes on {cores()} cores): wall times say little, CPU times are high"
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@dataclass(frozen=True)
class BenchReport:
    """The outcome of one workload, at one or more sizes."""

    workload: str
    axes: Axes
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    series: tuple[Series, ...]
    runs: tuple[Mapping[str, Any], ...]
    """The figures behind the rows, for programs."""
    remarks: tuple[str, ...] = ()
    """What a reader must know: targets met or missed, what could not be measured."""
    machine: Mapping[str, Any] = field(default_factory=machine)

    @property
    def data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "workload": self.workload,
            "machine": dict(self.machine),
            "runs": [dict(run) for run in self.runs],
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
    """A figure for a table: as many digits as mean something."""
    return float(f"{value:.{digits}g}")


def mib(octets: float) -> str:
    """Bytes for a table."""
    return f"{octets / MIB:,.1f}" if octets < 100 * MIB else f"{octets / MIB:,.0f}"
