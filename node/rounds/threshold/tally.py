"""The result of a threshold at its collector: the number of match keys that enough members hold."""

import json
from dataclasses import asdict, dataclass

from blindmatch.node.node import Node
from blindmatch.protocol.errors import StoreError


@dataclass(frozen=True)
class Tally:
    """The number of match keys that enough members hold, rounded down to the agreement's band."""

    count: int | None
    """None when it is below the minimum."""
    minimum: int
    band: int
    at_least: int
    members: int

    def to_json(self) -> bytes:
        """The stored form."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> "Tally":
        """Read the output of `to_json`.

        Raises:
            StoreError: the payload is damaged.
        """
        try:
            return cls(**json.loads(payload))
        except (ValueError, TypeError):
            raise StoreError("a stored number is damaged", hint="Run the round again.") from None

    @property
    def text(self) -> str:
        """One line for officers."""
        holders = f"by at least {self.at_least} of {self.members} agencies"
        if self.count is None:
            return f"fewer than {self.minimum:,} match keys are held {holders}"
        rounding = "" if self.band == 1 else f", rounded down to a multiple of {self.band:,}"
        return f"{self.count:,} match keys are held {holders}{rounding}"


def load(node: Node, round_id: bytes, edge: str) -> Tally | None:
    """The tally of a threshold that this node collected, or None when it has expired or there is none.

    Raises:
        StoreError: the tally is damaged.
    """
    payload = node.store.tally(round_id, edge)
    return None if payload is None else Tally.from_json(payload)
