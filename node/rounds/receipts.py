"""Receipts of stored rounds, verified again: each signature, and whether all parties that must sign have signed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.forecast import RoundForecast, round_forecast
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol import transcript
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.standing import statements as standing
from blindmatch.protocol.threshold import statements as threshold

VALID = "valid"
"""The verdict on a signature that verifies."""

_THRESHOLD_ROLES = frozenset({"member", "collector"})


@dataclass(frozen=True)
class VerifiedReceipt:
    """One receipt, with a verdict on every signature."""

    round_id: bytes
    edge: str
    payload: bytes
    """The signed bytes."""
    signatures: Mapping[str, bytes]
    """By agency."""
    verdicts: Mapping[str, str]
    """By agency: `valid`, or `INVALID (reason)`."""
    valid: bool
    """Every agency that must sign has signed, and every signature verifies."""
    closed_at: int
    """Seconds since 1970; 0 when the store has no time."""
    forecast: RoundForecast | None
    """What the model expected of the round; None where the rates are not in the store."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "round": self.round_id.hex(),
            "edge": self.edge,
            "payload": self.payload.hex(),
            "signatures": {agency: signature.hex() for agency, signature in self.signatures.items()},
            "keys": self.forecast.keys if self.forecast else 0,
            "lacking": [asdict(field) for field in self.forecast.lacking] if self.forecast else [],
            "valid": self.valid,
        }


def verify_all(node: Node, round_id: bytes) -> list[VerifiedReceipt]:
    """Every receipt of a round, verified.

    Raises:
        StoreError: the agreement of the round is not in the store, or is damaged.
    """
    return [_verified(node, row) for row in node.store.edges(round_id) if row.receipt]


def _verified(node: Node, row: EdgeRow) -> VerifiedReceipt:
    agreement = registry.find(node, row.agreement_id).agreement
    verdicts, valid = verify(agreement, row, node.agency)
    return VerifiedReceipt(
        row.round_id,
        row.edge,
        row.receipt,
        dict(row.signatures),
        verdicts,
        valid,
        row.finished_at or 0,
        round_forecast(node, row),
    )


def verify(agreement: Agreement, row: EdgeRow, agency: str) -> tuple[dict[str, str], bool]:
    """Verify the receipt in a row of an agency's store.

    Returns:
        The verdict on each signature by agency, and whether every agency that must sign has signed validly.
    """
    of_threshold = row.role in _THRESHOLD_ROLES
    kind = threshold.RECEIPT_TYPE if of_threshold else standing.receipt_type(row.receipt)
    verdicts = {}
    for signer, signature in row.signatures.items():
        try:
            transcript.verify(agreement.party(signer).identity_key, kind, row.receipt, signature)
            verdicts[signer] = VALID
        except Exception as error:  # noqa: BLE001 - a receipt that cannot be verified is not valid
            verdicts[signer] = f"INVALID ({type(error).__name__})"
    # At a collector itself and every member, otherwise both sides.
    others = agreement.threshold(row.edge).agencies if row.role == "collector" else (row.peer,)
    return verdicts, {agency, *others} <= set(verdicts) and set(verdicts.values()) == {VALID}
