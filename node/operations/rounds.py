"""Operations on rounds: start, resume, abandon, status, results, export, receipts, and reports from other agencies."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.operations.choices import ExportFormat
from blindmatch.node.rounds import exports, runner
from blindmatch.node.rounds import receipts as round_receipts
from blindmatch.node.rounds import status as round_status
from blindmatch.node.rounds.aggregate import reporting
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.rounds.edge_task import EdgeOutcome, Waiting
from blindmatch.node.rounds.exports import RoundResults
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.node.rounds.outbound import Progress
from blindmatch.node.rounds.receipts import VerifiedReceipt
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.node.rounds.status import EdgeStatus, RoundEpoch
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.files import write_output
from blindmatch.protocol.errors import LocalError

__all__ = [
    "AggregateResult",
    "EdgeOutcome",
    "EdgeStatus",
    "Progress",
    "ResultLead",
    "RoundEpoch",
    "RoundOutcome",
    "RoundResults",
    "VerifiedReceipt",
    "Waiting",
]

SHORT_ID = 12
"""Hexadecimal digits of a round's id that messages show."""


def find(node: Node, round_id: str = "") -> str:
    """A round's whole id from its first digits; the newest round's without any."""
    return round_status.find_round(node, round_id).hex()


async def start(
    node: Node,
    agreement: str,
    *,
    edges: Sequence[str] | None = None,
    full: bool = False,
    beside_unfinished: bool = False,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> RoundOutcome:
    """Start a round under an agreement, and run it as far as it goes.

    Args:
        node: the receiver of the edges, or the collector of the thresholds.
        agreement: its id.
        edges: only these of the edges that this node receives or collects; None for all.
        full: under a standing agreement, end the open epochs and compare everything again.
        beside_unfinished: also when another round under the agreement is unfinished.
        wait_seconds: how long each edge waits for a node that cannot be reached, since its last progress.
        progress: called with the edge, the step, and how many of how many chunks.
        waiting: called with every edge that waits, its peer, and the reason.

    Returns:
        The outcome of every edge; an edge that fails does not raise.

    Raises:
        LocalError: a round is unfinished, there is nothing to run, or no collection is bound.
        ConfigError: this node neither receives nor collects one of `edges`.
        PeerError, AgreementError: no round may run under the agreement now.
    """
    agreement_id = await asyncio.to_thread(_startable, node, agreement, beside_unfinished=beside_unfinished)
    return await runner.run_round(
        node,
        agreement_id,
        edges=edges,
        full=full,
        wait_seconds=wait_seconds,
        progress=progress,
        waiting=waiting,
    )


def _startable(node: Node, agreement: str, *, beside_unfinished: bool) -> bytes:
    agreement_id = registry.find(node, agreement).id
    rounds = sorted({row.round_id.hex()[:SHORT_ID] for row in runner.unfinished(node, agreement_id)})
    if rounds and not beside_unfinished:
        raise LocalError(
            f"round {', '.join(rounds)} under this agreement is unfinished",
            hint=f"Resume it: blindmatch round run --resume {rounds[0]}. "
            "Or abandon it (blindmatch round abandon), or start another one with --new.",
        )
    return agreement_id


async def resume(
    node: Node,
    round_id: str,
    *,
    edges: Sequence[str] | None = None,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> RoundOutcome:
    """Resume an interrupted round from its checkpoints; the arguments are those of `start`.

    Raises:
        LocalError: this node did not start the round.
        PeerError, AgreementError: no round may run under the agreement now.
    """
    chosen = await asyncio.to_thread(round_status.find_round, node, round_id)
    rows = await asyncio.to_thread(node.store.edges, chosen)
    return await runner.run_round(
        node,
        rows[0].agreement_id,
        edges=edges,
        resume_round=chosen,
        wait_seconds=wait_seconds,
        progress=progress,
        waiting=waiting,
    )


@dataclass(frozen=True)
class AbandonedRound:
    """What was abandoned of a round."""

    round_id: bytes
    edges: int
    """Edges and thresholds that were unfinished."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {"round": self.round_id.hex(), "edges_given_up": self.edges}


def abandon(node: Node, round_id: str) -> AbandonedRound:
    """Abandon the unfinished edges of a round that this node started: their secrets and working files are erased."""
    chosen = round_status.find_round(node, round_id)
    return AbandonedRound(chosen, runner.abandon(node, chosen))


def status(
    node: Node, *, round_id: str = "", agreement: str = "", epochs: bool = True
) -> tuple[EdgeStatus, ...]:
    """The state of every edge of a round, of an agreement, or without either of every round that this node took part in.

    With a round come the edges of its agreement that are not in it; with an agreement every edge in its newest round. With
    `epochs` each status has the place of its round in an epoch.
    """
    if agreement:
        statuses = round_status.of_agreement(node, registry.find(node, agreement).id)
    elif round_id:
        statuses = round_status.of_round(node, round_status.find_round(node, round_id))
    else:
        statuses = round_status.of_everything(node)
    return tuple(round_status.with_epoch(node, each) if epochs else each for each in statuses)


def results(node: Node, round_id: str = "", *, edge: str = "", justification: str = "") -> RoundResults:
    """The leads, counts and sums of a round. The audit log gets a consultation entry."""
    chosen = exports.load(node, round_status.find_round(node, round_id), edge or None)
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"round {chosen.round_id.hex()}",
        recipient=node.agency,
        justification=justification,
        detail=_counts(len(chosen.leads), len(chosen.numbers)),
    )
    return chosen


@dataclass(frozen=True)
class ResultsFile:
    """A file with a round's results."""

    round_id: bytes
    leads: int
    numbers: int
    """Counts and sums of the round; FollowTheMoney has no place for them."""
    format: ExportFormat
    file: Path

    @property
    def with_numbers(self) -> bool:
        """Whether the file has counts or sums."""
        return bool(self.numbers) and self.format is not ExportFormat.FTM

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "round": self.round_id.hex(),
            "leads": self.leads,
            "numbers": self.numbers,
            "format": self.format.value,
            "file": str(self.file),
        }


def export(
    node: Node,
    out: Path,
    *,
    form: ExportFormat,
    round_id: str = "",
    edge: str = "",
    recipient: str = "",
    justification: str = "",
) -> ResultsFile:
    """Write a round's results to a file that only this user can read; an existing file is replaced.

    The audit log gets a disclosure entry, to `recipient` or else to the file's name.
    """
    chosen = exports.load(node, round_status.find_round(node, round_id), edge or None, tallies=False)
    content = _WRITERS[form](chosen)
    written = ResultsFile(chosen.round_id, len(chosen.leads), len(chosen.numbers), form, out)
    # Write the audit entry first: an entry for an export that failed is better than an export without an entry.
    node.audit.append(
        AuditEvent.DISCLOSURE,
        subject=f"round {chosen.round_id.hex()}",
        recipient=recipient or out.name,
        justification=justification,
        detail={
            "action": "export",
            "format": form.value,
            **_counts(written.leads, written.numbers if written.with_numbers else 0),
        },
    )
    write_output(out, content)
    return written


_WRITERS = {
    ExportFormat.CSV: exports.to_csv,
    ExportFormat.JSON: exports.to_json,
    ExportFormat.FTM: exports.to_ftm,
}


def _counts(leads: int, numbers: int) -> dict[str, int]:
    return {"leads": leads, **({"numbers": numbers} if numbers else {})}


def receipts(node: Node, round_id: str = "") -> tuple[VerifiedReceipt, ...]:
    """The receipts of a round's closed edges, every signature verified again."""
    return tuple(round_receipts.verify_all(node, round_status.find_round(node, round_id)))


@dataclass(frozen=True)
class ReceivedReports:
    """The counts and sums that other agencies reported to this node."""

    reports: tuple[AggregateResult, ...]
    failed: tuple[tuple[str, str], ...]
    """Agencies whose reports could not be fetched or verified, each with the reason."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "reports": [report.data() for report in self.reports],
            "failed": [{"receiver": receiver, "reason": reason} for receiver, reason in self.failed],
        }


async def fetch_reports(node: Node, agreement: str) -> ReceivedReports:
    """Fetch, verify and store the results that an agreement has other agencies report to this node.

    Every report gets a disclosure entry in the audit log.

    Raises:
        LocalError: no edge of the agreement reports to this node.
    """
    agreement_id = (await asyncio.to_thread(registry.find, node, agreement)).id
    fetched = await reporting.fetch(node, agreement_id)
    return ReceivedReports(
        tuple(result for each in fetched for result in each.results),
        tuple((each.receiver, each.error.message) for each in fetched if each.error is not None),
    )
