"""Messages of rounds, counted by peer, direction and type: as they pass, or from a recording."""

import json
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.node.transport.message_recorder import Direction, WireRecorder

ROUND_SERVICES = tuple(
    f"/blindmatch.v1.{name}/" for name in ("Match", "Number", "Thresholds", "StandingRounds")
)
"""Paths of the services of rounds; other services belong to agreements and health."""


@dataclass(frozen=True)
class Traffic:
    """Messages that one node sent and received, as it counts or records them."""

    messages: Counter[str] = field(default_factory=Counter)
    """Messages by direction and type, such as `sent BlindedChunk`."""
    octets: Counter[str] = field(default_factory=Counter)
    """Bytes by the same names."""

    @classmethod
    def of_message(cls, direction: str, method: str, kind: str, size: int) -> "Traffic":
        """One message of so many bytes; nothing for a service that is not of rounds."""
        if not method.startswith(ROUND_SERVICES):
            return cls()
        name = f"{direction} {kind.rpartition('.')[2]}"
        return cls(Counter({name: 1}), Counter({name: size}))

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.messages + other.messages, self.octets + other.octets)

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.messages - other.messages, self.octets - other.octets)

    def total(self, direction: str = "") -> int:
        """The bytes `sent` or `received`; without a direction, both."""
        return sum(count for name, count in self.octets.items() if name.startswith(direction))


class TrafficMeter:
    """Counts a node's messages of rounds by peer, direction and type; passes all messages on to a recorder if there is one.

    A node uses it as its `WireRecorder`; several threads can call it.
    """

    def __init__(self, recorder: WireRecorder | None = None) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._traffic: defaultdict[str, Traffic] = defaultdict(Traffic)

    def record(self, direction: Direction, peer: str, method: str, kind: str, message: bytes) -> None:
        """Count one message; arguments as for `WireRecorder.record`."""
        with self._lock:
            self._traffic[peer] += Traffic.of_message(direction, method, kind, len(message))
        if self._recorder is not None:
            self._recorder.record(direction, peer, method, kind, message)

    def traffic(self, peer: str) -> Traffic:
        """The messages with one peer."""
        with self._lock:
            return self._traffic[peer]


def recorded_traffic(folder: Path, peer: str) -> Traffic:
    """The same counts from a recorder's `index.jsonl`."""
    index = folder / "index.jsonl"
    lines = index.read_text(encoding="ascii").splitlines() if index.exists() else ()
    entries = [entry for entry in map(json.loads, lines) if entry["peer"] == peer]
    names = ("direction", "method", "type", "bytes")
    return sum((Traffic.of_message(*(entry[name] for name in names)) for entry in entries), Traffic())
