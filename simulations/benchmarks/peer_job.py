"""The job of `bench peers`: two CSV files of identifiers with a known overlap, and its run by every contender.

A contender gets two files and writes one, on the receiver's side. The cost covers everything between: the start of interpreters
and servers, reading the files, the protocol on 127.0.0.1, writing the result. Bytes are those of the TCP connections, counted
by a relay between the two sides in the same way for all.
"""

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from blindmatch.node.evaluation.stage_timer import StageTimer
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks import parties
from blindmatch.simulations.benchmarks.nodes import PairTerms, deploy
from blindmatch.simulations.benchmarks.process_cost import (
    MeasuredProcess,
    ProcessCost,
    Relay,
    command,
    killed_on_exit,
)
from blindmatch.simulations.drivers.node_process import free_ports, serving

COLUMN: Final = "company_number"
FALSE_POSITIVES: Final = 1e-9
"""The rate that openmined-psi's own examples use for its compressed table."""

_REPORT: Final = "report.json"
_LIMIT_SECONDS: Final = 7_200.0
_SIDES: Final = ("receiver", "sender")

OURS: Final = "blindmatch"


@dataclass(frozen=True)
class JobFiles:
    """The two files of the job."""

    receiver: Path
    sender: Path
    records: int
    """The number in each file."""
    common: int


def write_files(folder: Path, records: int, overlap: float) -> JobFiles:
    """Two shuffled lists of invented company numbers; the same sizes give the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    common = round(records * overlap)
    draw = np.random.default_rng(records)
    wanted = 2 * records - common
    numbers = np.unique(draw.integers(1_000_000, 99_999_999, wanted + wanted // 4 + 64))
    numbers = draw.permutation(numbers)[:wanted]
    if len(numbers) < wanted:
        raise LocalError(f"there are not enough company numbers for {records:,} records a side")
    sides = {"receiver": numbers[:records], "sender": numbers[records - common :]}
    for side, chosen in sides.items():
        with (folder / f"{side}.csv").open("w", encoding="ascii", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("reference", COLUMN))
            shuffled = draw.permutation(chosen).tolist()
            writer.writerows(
                (f"{side[0].upper()}{serial:08d}", f"{number:08d}") for serial, number in enumerate(shuffled)
            )
    return JobFiles(folder / "receiver.csv", folder / "sender.csv", records, common)


@dataclass(frozen=True)
class ContenderCost:
    """The cost of one contender at one size."""

    contender: str
    records: int
    common: int
    """The number of common records, which is the expected result."""
    found: int
    receiver: ProcessCost
    sender: ProcessCost
    octets: int
    """Over TCP, in both directions, with TLS where it is used."""
    wall: float
    """From reading the first file to writing the result; both sides run at the same time where the contender allows it."""
    steps: Mapping[str, ProcessCost]
    """The steps by name; their sum is the cost of both sides."""

    @property
    def cpu(self) -> float:
        """Seconds, both sides."""
        return self.receiver.cpu + self.sender.cpu


@dataclass(frozen=True)
class Contender:
    """A package and one of its protocols."""

    name: str
    package: str
    settings: Mapping[str, Any]


CONTENDERS: Final = {
    item.name: item
    for item in (
        Contender("spu-rr22", "spu", {"protocol": "PROTOCOL_RR22", "curve": ""}),
        Contender("spu-ecdh-25519", "spu", {"protocol": "PROTOCOL_ECDH", "curve": "CURVE_25519"}),
        Contender("spu-ecdh-fourq", "spu", {"protocol": "PROTOCOL_ECDH", "curve": "CURVE_FOURQ"}),
        Contender("spu-kkrt", "spu", {"protocol": "PROTOCOL_KKRT", "curve": ""}),
        Contender("openmined-psi", "openmined-psi", {"false_positives": FALSE_POSITIVES}),
    )
}
USUAL: Final = ("spu-rr22", "spu-ecdh-25519", "openmined-psi")
_PROGRAMS: Final = {"spu": "party_spu.py", "openmined-psi": "party_openmined.py"}


def run_package(contender: Contender, python: Path, files: JobFiles, folder: Path) -> ContenderCost:
    """Both sides of another package, one process each.

    Raises:
        LocalError: a side failed, or there is no result.
    """
    program = Path(parties.__file__).parent / _PROGRAMS[contender.package]
    folder.mkdir(parents=True)
    first, second = free_ports(2)
    output = folder / "result.csv"
    with Relay(first) as to_first, Relay(second) as to_second:
        # Each side knows its own port, and the relay's port of the other.
        ports = ([first, to_second.port], [to_first.port, second])
        sides = []
        for rank, source in enumerate((files.receiver, files.sender)):
            place = folder / ("receiver", "sender")[rank]
            place.mkdir()
            # Some packages write files beside their input.
            own = place / "input.csv"
            os.link(source, own)
            settings = dict(contender.settings) | {
                "rank": rank,
                "ports": ports[rank],
                "input": str(own),
                "output": str(output if rank == 0 else place / "result.csv"),
                "column": COLUMN,
                "report": str(place / _REPORT),
            }
            name = f"{contender.name} ({place.name})"
            sides.append(
                MeasuredProcess(
                    name, [str(python), "-I", str(program), json.dumps(settings)], place, _plain()
                )
            )
        with killed_on_exit(sides):
            spent = [side.wait(_LIMIT_SECONDS) for side in sides]
        octets = to_first.count + to_second.count
    reported = json.loads((folder / "receiver" / _REPORT).read_text(encoding="ascii"))
    rows = _rows(output)
    if reported["records"] != files.records or reported["found"] != rows:
        raise LocalError(f"{contender.name} reports {reported}, but its result has {rows:,} rows")
    steps = {"receiver": spent[0], "sender": spent[1]}
    wall = max(each.wall for each in spent)
    return ContenderCost(
        contender.name, files.records, files.common, rows, spent[0], spent[1], octets, wall, steps
    )


def _plain() -> dict[str, str]:
    """An environment without our own settings."""
    names = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in names if name in os.environ}


def _rows(path: Path) -> int:
    """Rows of a CSV file below its header."""
    if not path.exists():
        raise LocalError(f"no result was written to {path.name}")
    with path.open(encoding="utf-8", newline="") as file:
        return max(sum(1 for _ in csv.reader(file)) - 1, 0)


def run_ours(files: JobFiles, folder: Path) -> ContenderCost:
    """Both nodes of ours: import on both sides, the sender's server, the round, the export of its leads.

    The creation of nodes, certificates and the agreement happens once per partnership and is not counted.

    Raises:
        LocalError: a command failed.
    """
    folder.mkdir(parents=True)
    pair = deploy(folder, PairTerms(tokens=1))
    police, council = pair.police, pair.council
    output = folder / "result.csv"
    spent: dict[str, ProcessCost] = {}
    imports = [
        command(police, "collection", "import", str(files.receiver), "--kind", "subjects"),
        command(council, "collection", "import", str(files.sender), "--kind", "suppliers"),
    ]
    timer = StageTimer()
    with timer.stage("files"), killed_on_exit(imports):
        spent |= {f"{side} import": each.wait() for side, each in zip(_SIDES, imports, strict=True)}
    with Relay(council.port) as relay:
        pair.introduce(relay.port)
        with serving([police, council]):
            agreement = pair.agree(files.records)
        before = relay.count
        server = command(council, "node", "serve")
        with killed_on_exit([server]):
            with timer.stage("round"):
                server.until_listening(council.port)
                spent["receiver round"] = command(police, "round", "run", agreement, "--json").wait()
            spent["sender server"] = server.stop()
        octets = relay.count - before
    with timer.stage("files"):
        export = command(police, "round", "export", "--out", str(output))
        spent["receiver export"] = export.wait()
    receiver = sum((spent[name] for name in spent if name.startswith("receiver")), ProcessCost())
    sender = sum((spent[name] for name in spent if name.startswith("sender")), ProcessCost())
    wall = sum(timer.seconds.values())
    return ContenderCost(
        OURS, files.records, files.common, _rows(output), receiver, sender, octets, wall, spent
    )
