"""Operations on single checks: compare one record under a standing agreement, and read what was submitted here."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import formats
from blindmatch.node.node import Node
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.node.rounds.standing import check_lookup, outbound_checks
from blindmatch.node.rounds.standing.check_lookup import CheckResult
from blindmatch.node.rounds.standing.checked_record import imported_record, read_record
from blindmatch.node.rounds.standing.outbound_checks import Queries, Submissions
from blindmatch.node.transport.client import connect
from blindmatch.protocol.errors import ConfigError, InputError

__all__ = ["CheckResult", "read_record"]


@dataclass(frozen=True)
class SubmittedRecord:
    """A record that this node, the sender of an edge, submitted. It never learns whether the record matched."""

    agreement_id: bytes
    edge: str
    checks: tuple[bytes, ...]
    """The id of each check, 16 bytes: one for the record and one for each person of its company."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "agreement": self.agreement_id.hex(),
            "edge": self.edge,
            "submitted": [check.hex() for check in self.checks],
        }


@dataclass(frozen=True)
class QueriedRecord:
    """A record that this node, the receiver of an edge, queried: the leads, if the sender holds it too."""

    agreement_id: bytes
    edge: str
    records: int
    """The record, and the people of its company."""
    leads: tuple[ResultLead, ...]

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        leads = [asdict(lead) for lead in self.leads]
        return {
            "agreement": self.agreement_id.hex(),
            "edge": self.edge,
            "asked": self.records,
            "hit": bool(leads),
            "leads": [{name: value for name, value in lead.items() if name != "new"} for lead in leads],
        }


@dataclass(frozen=True)
class ReceivedChecks:
    """The records submitted to this node that match records of its own."""

    agreement_id: bytes
    checks: tuple[CheckResult, ...]

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "agreement": self.agreement_id.hex(),
            "submitted": [{**asdict(each), "check": each.check.hex()} for each in self.checks],
        }


async def check(
    node: Node,
    agreement: str,
    fields: Mapping[str, str],
    *,
    edge: str = "",
    register: Sequence[Path] = (),
    mapping: Path | None = None,
) -> SubmittedRecord | QueriedRecord:
    """Compare one record, value by field, with the other agency's list, now, in the direction that the edge has.

    The sender of the edge submits the record; the audit log gets a disclosure entry. The receiver queries it; the audit log
    gets a combination entry. `edge` can be empty where this node is on one edge that discloses hits. With the files of a
    `register`, the people who serve or control the record's company are checked too. `mapping` is a file that maps columns
    to fields, as for imports.

    Raises:
        ConfigError: this node is on several edges, or on none.
        InputError: the record has too few fields, or a value cannot be used.
        LocalError: the agreement allows no check, or not of this record, or no epoch is open.
        PeerError, AgreementError: the agreement does not allow it now, or the other node refused.
    """
    stored = await asyncio.to_thread(registry.find, node, agreement)
    if not fields:
        raise InputError("the record has no field", hint="Give one record with at least one field.")
    chosen = edge or _only_edge(node, stored)
    columns = formats.load_mapping(mapping) if mapping else None
    with ExitStack() as stack:
        epoch = await asyncio.to_thread(outbound_checks.load_epoch, node, stored, chosen)
        imported = imported_record(node, stored, epoch, fields, register=register, mapping=columns)
        records = await asyncio.to_thread(stack.enter_context, imported)
        key = stored.agreement.party(epoch.row.peer).certificate_key
        async with connect(node, epoch.row.peer, certificate_key=key) as peer:
            if epoch.edge.receiver.agency == node.agency:
                queries = await asyncio.to_thread(Queries, node, epoch, records)
                return QueriedRecord(stored.id, chosen, len(records), await queries.run(peer))
            submissions = await asyncio.to_thread(Submissions, node, epoch, records)
            return SubmittedRecord(stored.id, chosen, await submissions.run(peer))


def _only_edge(node: Node, stored: StoredAgreement) -> str:
    """The only edge of this node on which single records can be checked."""
    edges = [
        each.id
        for each in stored.agreement.edges
        if each.terms.lists_hits and node.agency in {each.receiver.agency, each.sender.agency}
    ]
    if len(edges) != 1:
        raise ConfigError(
            f"{node.agency} is on {len(edges)} edges that disclose hits", hint=f"--edge: {', '.join(edges)}"
        )
    return edges[0]


def received(node: Node, agreement: str) -> ReceivedChecks:
    """The records submitted to this node that match. The audit log gets a consultation entry."""
    agreement_id = registry.find(node, agreement).id
    checks = check_lookup.results(node, agreement_id)
    return ReceivedChecks(agreement_id, tuple(each for each in checks if each.leads))
