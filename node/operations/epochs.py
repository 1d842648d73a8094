"""Operations on the epochs of standing agreements."""

from dataclasses import dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.standing import epochs


@dataclass(frozen=True)
class EndedEpochs:
    """How many epochs were ended."""

    agency: str
    epochs: int

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {"agency": self.agency, "epochs_ended": self.epochs}


def end(node: Node, *, agreement: str = "") -> EndedEpochs:
    """End the open epochs, of all agreements or of one: their keys and everything stored under them are erased.

    The next rounds are full ones. The audit log gets an entry for every epoch.
    """
    agreement_id = registry.find(node, agreement).id if agreement else None
    return EndedEpochs(node.agency, epochs.end_all(node, "its key was rotated", agreement_id))
