"""`bench pair`: one comparison of n by n elements between two node processes, beside the bare loop of its group operations.

Both nodes are real: their own folders and processes, the command line, mutual TLS on loopback. Records are invented and
different on both sides; every one is padded to `TOKENS` elements, and padding costs as much as any other element.
Processors change their pace, so half of the bare loop runs before the round and half after it.
"""

import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.config_template import add_peer
from blindmatch.protocol import group
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.deploy import Site, draft_text, make_authority, make_node
from blindmatch.simulations.dice import Dice
from blindmatch.simulations.names import load_names
from blindmatch.simulations.processes import NodeProcess, cpu_seconds, free_ports, peak_bytes, serving
from blindmatch.simulations.scenario import Area, Scenario

TOKENS = 4
POLICE, COUNCIL = "bench-police", "bench-council"
TARGET_RATIO = 1.25
TARGET_PEAK = 400 << 20
MIB = 1 << 20


@dataclass(frozen=True)
class PairCost:
    """What one comparison cost. Seconds of CPU are user and system together; bytes are messages, without TLS."""

    elements: int
    """On each side."""
    backend: str
    cores: int
    receiver_cpu: float
    """The whole `round run` command, start-up included."""
    sender_cpu: float
    """The server, from before the round to after it."""
    wall: float
    receiver_peak: int
    """Bytes."""
    sender_peak: int
    sent: int
    """Bytes from receiver to sender."""
    received: int
    loop_cpu: float
    loop_wall: float

    @property
    def ratio(self) -> float:
        """CPU of the round per CPU of the bare loop."""
        return (self.receiver_cpu + self.sender_cpu) / self.loop_cpu

    @property
    def derived(self) -> dict[str, Any]:
        """Figures that follow from the others, for --json."""
        return {
            "ratio": round(self.ratio, 3),
            "wall_ratio": round(self.wall / self.loop_wall, 3),
            "elements_per_second": round(self.elements / self.wall),
            "bytes_per_element": round((self.sent + self.received) / self.elements, 1),
            "target_ratio": TARGET_RATIO,
            "target_peak": TARGET_PEAK,
        }

    def lines(self) -> list[tuple[str, object]]:
        """The figures for a reader."""
        derived = self.derived
        verdict = "within" if max(self.receiver_peak, self.sender_peak) < TARGET_PEAK else "ABOVE"
        receiver_mib, sender_mib = self.receiver_peak // MIB, self.sender_peak // MIB
        return [
            ("comparison", f"{self.elements:,} x {self.elements:,} elements, group backend {self.backend}"),
            (
                "wall",
                f"{self.wall:.2f} s on {self.cores} cores, {derived['elements_per_second']:,} elements/s",
            ),
            ("CPU", f"receiver {self.receiver_cpu:.2f} s, sender {self.sender_cpu:.2f} s"),
            ("bare loop", f"CPU {self.loop_cpu:.2f} s, wall {self.loop_wall:.2f} s"),
            (
                "ratio",
                f"{self.ratio:.3f} of CPU (target at 100,000: {TARGET_RATIO}), {derived['wall_ratio']} of wall",
            ),
            (
                "messages",
                f"{self.sent:,} bytes sent, {self.received:,} received, {derived['bytes_per_element']} per element",
            ),
            (
                "memory",
                f"receiver {receiver_mib} MiB, sender {sender_mib} MiB ({verdict} {TARGET_PEAK // MIB} MiB)",
            ),
        ]


def _write_inputs(folder: Path, records: int) -> tuple[Path, Path]:
    """People on both sides, nobody on both."""
    community = load_names().communities["british"]
    police, council = folder / "people.csv", folder / "suppliers.csv"
    for path, letter in ((police, "N"), (council, "V")):
        dice = Dice("bench", letter, records)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("reference", "forenames", "surname", "date_of_birth", "postcodes"))
            for serial in range(records):
                year = dice.number(1945, 2005)
                writer.writerow(
                    (
                        f"{letter}{serial:07d}",
                        community.forename(dice, "male", year),
                        community.surname(dice),
                        f"{year}-{dice.number(1, 12):02d}-{dice.number(1, 28):02d}",
                        f"AE{dice.number(1, 24)} {dice.number(0, 9)}AA",
                    )
                )
    return police, council


def _scenario() -> Scenario:
    """The terms of the measurement's agreement."""
    area = {
        "id": "bench",
        "name": "Bench",
        "postcodes": "AE",
        "disclosure": "hits",
        "police": {"id": POLICE, "name": "Bench Police", "subjects": 4},
        "councils": [{"id": COUNCIL, "name": "Bench Council", "suppliers": 8}],
    }
    terms = {
        "title": "Measurement",
        "purpose": "Measure this machine with invented records.",
        "police_basis": "invented records",
        "council_basis": "invented records",
        "receiver_tokens": TOKENS,
        "sender_tokens": TOKENS,
    }
    return Scenario.model_validate(
        {
            "format": 1,
            "name": "bench",
            "title": "Measurement",
            "notice": "Every record of this measurement is invented; it says nothing.",
            "seed": 1,
            "today": "2026-01-05",
            "terms": terms,
            "mistakes": {},
            "areas": [area],
        }
    )


def _deploy(folder: Path, sources: tuple[Path, Path]) -> tuple[NodeProcess, NodeProcess]:
    """Two nodes that know each other, their records imported."""
    passphrase, now = "measurement of invented records", time.time()
    authority = make_authority(folder / "authority", passphrase, "bench", now)
    nodes = []
    for agency, role, kind, source, port in zip(
        (POLICE, COUNCIL),
        ("police", "council"),
        ("subjects", "suppliers"),
        sources,
        free_ports(2),
        strict=True,
    ):
        site = Site(agency, agency, role, "invented records", folder / agency, kind, source)
        node = NodeProcess(agency, site.home, port, passphrase)
        make_node(site, authority, passphrase, listen=node.address, now=now).close()
        node.run("collection", "import", str(source), "--kind", kind, "--name", kind)
        nodes.append(node)
    police, council = nodes
    add_peer(police.home / "node.toml", council.agency, council.address)
    add_peer(council.home / "node.toml", police.agency, police.address)
    return police, council


def _agree(folder: Path, police: NodeProcess, council: NodeProcess, records: int) -> str:
    """Both sign; returns the agreement's id."""
    scenario = _scenario()
    area: Area = scenario.areas[0]
    draft = folder / "agreement.toml"
    text = draft_text(scenario, area, {POLICE: records, COUNCIL: records}, time.time())
    draft.write_text(text, encoding="utf-8")
    agreement = str(police.run("agreement", "draft", str(draft), "--json").data["id"])
    edge = f"{POLICE}-from-{COUNCIL}"
    police.run("agreement", "sign", agreement, "--yes", "--collection", f"{edge}=subjects")
    council.run("agreement", "sign", agreement, "--yes", "--collection", f"{edge}=suppliers")
    return agreement


def measure(elements: int, *, note: Callable[[str], None] = lambda _text: None) -> PairCost:
    """Run one comparison and the bare loop on this machine.

    Args:
        elements: on each side; rounded up to a whole number of records.
        note: told what happens.

    Raises:
        LocalError: a node's command failed.
    """
    records = -(-elements // TOKENS)
    elements = records * TOKENS
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        folder = Path(name)
        note(f"two nodes with {records:,} records each ...")
        police, council = _deploy(folder, _write_inputs(folder, records))
        with serving([police, council]):
            agreement = _agree(folder, police, council, records)
            server = council.server
            if server is None:  # pragma: no cover -- `serving` has started it
                raise RuntimeError("the council's server is not running")
            note("half of the bare loop ...")
            first = loop.measure(elements // 2)
            note("the round ...")
            before = cpu_seconds(server.pid)
            run = police.run("round", "run", agreement, "--json")
            sender_cpu = cpu_seconds(server.pid) - before
            sender_peak = peak_bytes(server.pid)
            note("the other half of the bare loop ...")
            second = loop.measure(elements - elements // 2)
            edge = run.data["edges"][0]
    return PairCost(
        elements=elements,
        backend=group.backend_name(),
        cores=loop.cores(),
        receiver_cpu=run.cpu,
        sender_cpu=sender_cpu,
        wall=run.wall,
        receiver_peak=run.peak,
        sender_peak=sender_peak,
        sent=int(edge["sent_bytes"]),
        received=int(edge["received_bytes"]),
        loop_cpu=first.cpu + second.cpu,
        loop_wall=first.wall + second.wall,
    )
