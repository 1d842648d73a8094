"""Messages of rounds, counted by peer, direction and type: as they pass, or from a recording."""

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
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

    messages: Mapping[str, int] = field(default_factory=dict)
    """Messages by direction and type, such as `sent BlindedChunk`."""
    octets: Mapping[str, int] = field(default_factory=dict)
    """Bytes by the same names."""

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(_sum(self.messages, other.messages), _sum(self.octets, other.octets))

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(_less(self.messages, other.messages), _less(self.octets, other.octets))

    def total(self, direction: str = "") -> int:
        """The bytes `sent` or `received`; without a direction, both."""
        return sum(count for name, count in self.octets.items() if name.startswith(direction))


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in sorted({*one, *two})}


def _less(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: count - two.get(name, 0) for name, count in one.items() if count > two.get(name, 0)}


class TrafficMeter:
    """Counts a node's messages of rounds by peer, direction and type; passes all messages on to a recorder if there is one.

    A node uses it as its `WireRecorder`; several threads can call it.
    """

    def __init__(self, recorder: WireRecorder | None = None) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._messages: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._octets: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def record(self, direction: Direction, peer: str, method: str, kind: str, message: bytes) -> None:
        """Count one message; arguments as for `WireRecorder.record`."""
        if method.startswith(ROUND_SERVICES):
            name = f"{direction} {kind.rpartition('.')[2]}"
            with self._lock:
                self._messages[peer][name] += 1
                self._octets[peer][name] += len(message)
        if self._recorder is not None:
            self._recorder.record(direction, peer, method, kind, message)

    def traffic(self, peer: str) -> Traffic:
        """The messages with one peer."""
        with self._lock:
            return Traffic(
                dict(sorted(self._messages[peer].items())), dict(sorted(self._octets[peer].items()))
            )


def recorded_traffic(folder: Path, peer: str) -> Traffic:
    """The same counts from a recorder's `index.jsonl`."""
    traffic = Traffic()
    index = folder / "index.jsonl"
    for line in index.read_text(encoding="ascii").splitlines() if index.exists() else ():
        entry = json.loads(line)
        if entry["peer"] == peer and entry["method"].startswith(ROUND_SERVICES):
            name = f"{entry['direction']} {entry['type'].rpartition('.')[2]}"
            traffic += Traffic({name: 1}, {name: entry["bytes"]})
    return traffic
