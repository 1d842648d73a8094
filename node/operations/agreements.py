"""Operations on agreements: draft, propose, show, sign, verify, list, fetch, decline, withdraw."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindmatch.node.agreements import bindings, envelope_files, exchange, registry
from blindmatch.node.agreements.draft import complete, read_draft
from blindmatch.node.agreements.exchange import ExchangeOutcome
from blindmatch.node.agreements.patterns import Choices, Pattern
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.agreements.summary import AgreementSummary, describe, summarise
from blindmatch.node.agreements.template import template
from blindmatch.node.node import Node
from blindmatch.node.storage.files import write_output
from blindmatch.node.transport.client import connector
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Disclosure, Envelope, SignedWithdrawal
from blindmatch.protocol.errors import BlindmatchError, PeerError

__all__ = ["AgreementSummary", "Choices", "Disclosure", "ExchangeOutcome", "Pattern"]

Collections = Sequence[tuple[str, str]]
"""Edges, and the names of this node's collections for them."""


@dataclass(frozen=True)
class AgreementResult:
    """An agreement after an operation."""

    summary: AgreementSummary
    terms: Mapping[str, Any] | None = None
    """All terms and all that this node knows, from `describe`; None where the summary is enough."""
    outcomes: tuple[ExchangeOutcome, ...] | None = None
    """Every party that the operation tried to reach; None when it sends nothing."""
    unbound: Mapping[str, BlindmatchError] = field(default_factory=dict)
    """This node's edges that remain without a collection, and the reasons."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        data = self.summary.data() if self.terms is None else dict(self.terms)
        return data if self.outcomes is None else data | {"reached": [each.data() for each in self.outcomes]}


def _result(
    node: Node, stored: StoredAgreement, outcomes: Sequence[ExchangeOutcome] | None = None
) -> AgreementResult:
    return AgreementResult(
        summarise(node, stored), describe(node, stored), None if outcomes is None else tuple(outcomes)
    )


def write_template(choices: Choices, now: float, *, out: Path | None = None) -> str:
    """The text of a draft file for an officer to edit, also written to `out`, which must not exist. Needs no node.

    `now` is in seconds since 1970.

    Raises:
        ConfigError, AgreementError: the choices do not describe an agreement.
    """
    text = template(choices, now)
    if out is not None:
        write_output(out, text, new=True)
    return text


async def propose(node: Node, file: Path, *, offline: bool = False) -> AgreementResult:
    """Build an agreement from an edited draft file, store it, and propose it to the parties.

    Entries of parties that the file leaves out are fetched from their nodes. The audit log gets an alteration entry.

    Raises:
        AgreementError: a field is missing or wrong.
        PeerError, ConfigError: the entry of a party cannot be fetched.
    """
    draft, connect = read_draft(file), connector(node)
    entries = {node.agency: registry.own_party(node)}
    if not offline:
        others = [agency for agency in draft.unknown if agency != node.agency]
        fetched = await asyncio.gather(*(exchange.fetch_entry(connect, agency) for agency in others))
        entries |= {party.agency: party for party in fetched}
    payload = encode_agreement(complete(draft, entries, os.urandom(terms.NONCE_BYTES)))
    envelope = Envelope(terms.PAYLOAD_TYPE, payload, {})
    stored = await asyncio.to_thread(registry.adopt, node, envelope, source="draft")
    outcomes: list[ExchangeOutcome] = []
    if not offline:
        stored, outcomes = await exchange.push(node, stored, connect)
    return await asyncio.to_thread(_result, node, stored, outcomes)


def import_file(node: Node, file: Path) -> AgreementResult:
    """Store an agreement that another party exported, and its signatures. The audit log gets an alteration entry.

    Raises:
        InputError: the file is not an agreement.
        PeerError, AgreementError: the agreement is not valid, or this node is not a party with its own keys.
    """
    return _result(node, registry.adopt(node, envelope_files.read(file), source="file"), ())


def export(node: Node, agreement: str, out: Path) -> None:
    """Write an agreement with all signatures to a file, a DSSE envelope, for a party whose node cannot be reached."""
    envelope_files.write(out, registry.find(node, agreement).envelope)


def show(node: Node, agreement: str) -> AgreementResult:
    """All terms of an agreement, its state on this node, and the expected results."""
    return _result(node, registry.find(node, agreement))


def list_agreements(node: Node) -> tuple[AgreementSummary, ...]:
    """A summary of every agreement that this node holds."""
    return tuple(summarise(node, stored) for stored in registry.list_agreements(node))


async def fetch(node: Node, agreement: str) -> tuple[ExchangeOutcome, ...]:
    """Fetch from every party who has signed, declined or withdrawn. The audit log gets an entry for every update."""
    stored = await asyncio.to_thread(registry.find, node, agreement)
    return tuple((await exchange.fetch(node, stored, connector(node)))[1])


async def fetch_all(node: Node) -> None:
    """Fetch the same for every agreement that no party has left."""
    stored = await asyncio.to_thread(registry.list_agreements, node)
    await asyncio.gather(*(fetch(node, each.id.hex()) for each in stored if not each.withdrawals))


def check_signable(node: Node, agreement: str, *, collections: Collections = ()) -> None:
    """Check, before a person decides, that `sign` will succeed.

    Raises:
        AgreementError: a collection may not enter its edge, or this node's entry has other keys.
        PeerError: the agreement cannot be signed: another schema, expired, declined or withdrawn.
    """
    stored = registry.find(node, agreement)
    registry.check_signable(node, stored)
    for edge, name in collections:
        comparison = stored.agreement.comparison(edge)
        bindings.check_fit(node, stored.agreement, comparison, node.store.collection(name))


async def sign(
    node: Node, agreement: str, *, collections: Collections = (), offline: bool = False
) -> AgreementResult:
    """Sign an agreement as this agency, bind collections to its edges, and send the signature to the parties.

    An edge without a collection gets the only suitable one. The audit log gets an alteration entry for each binding and
    for the signature, before it exists. Signing again only sends it again. Errors are those of `check_signable`.
    """
    stored, unbound = await asyncio.to_thread(_sign, node, agreement, collections)
    outcomes: list[ExchangeOutcome] = []
    if not offline:
        stored, outcomes = await exchange.push(node, stored, connector(node))
    described = await asyncio.to_thread(describe, node, stored)
    return AgreementResult(summarise(node, stored), described, tuple(outcomes), unbound)


def _sign(
    node: Node, agreement: str, collections: Collections
) -> tuple[StoredAgreement, Mapping[str, BlindmatchError]]:
    check_signable(node, agreement, collections=collections)
    stored = registry.find(node, agreement)
    for edge, name in collections:
        bindings.bind(node, stored, edge, name)
    unbound = bindings.bind_defaults(node, stored)
    return registry.sign(node, stored), unbound


async def decline(
    node: Node, agreement: str, reason: str, *, justification: str = "", offline: bool = False
) -> AgreementResult:
    """Decline to sign an agreement: it can never start. After signing this is a withdrawal.

    The reason is signed, and every party reads it. The audit log gets an alteration entry. Declining again only sends it
    again.

    Raises:
        AgreementError: the reason is missing, too long or unprintable.
    """
    stored = await asyncio.to_thread(registry.find, node, agreement)
    signed = await asyncio.to_thread(registry.decline, node, stored, reason, justification=justification)
    return await _send_withdrawal(node, stored, signed, offline=offline)


async def withdraw(
    node: Node, agreement: str, reason: str = "", *, justification: str = "", offline: bool = False
) -> AgreementResult:
    """Withdraw this agency from an agreement: no further round runs under it. Otherwise like `decline`.

    Raises:
        AgreementError: the reason is too long or unprintable.
    """
    stored = await asyncio.to_thread(registry.find, node, agreement)
    signed = await asyncio.to_thread(registry.withdraw, node, stored, reason, justification=justification)
    return await _send_withdrawal(node, stored, signed, offline=offline)


async def _send_withdrawal(
    node: Node, stored: StoredAgreement, signed: SignedWithdrawal, *, offline: bool
) -> AgreementResult:
    outcomes = [] if offline else await exchange.push_withdrawal(node, stored, signed, connector(node))
    stored = await asyncio.to_thread(registry.find, node, stored.id)
    return AgreementResult(summarise(node, stored), outcomes=tuple(outcomes))


@dataclass(frozen=True)
class AgreementVerification:
    """Whether every party has signed exactly these bytes."""

    id: str
    title: str
    signatures: Mapping[str, str]
    """For each party `valid`, `missing`, or `INVALID` with the reason."""

    @property
    def complete(self) -> bool:
        """Every signature is valid."""
        return all(verdict == "valid" for verdict in self.signatures.values())

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        signatures = dict(self.signatures)
        return {"id": self.id, "title": self.title, "complete": self.complete, "signatures": signatures}


def verify(node: Node, agreement: str) -> AgreementVerification:
    """Verify the signatures of a stored agreement.

    Raises:
        PeerError, AgreementError: its bytes are damaged.
    """
    row = node.store.agreement(agreement)
    return _verify(Envelope(terms.PAYLOAD_TYPE, row.payload, row.signatures))


def verify_file(file: Path) -> AgreementVerification:
    """Verify the signatures of an exported agreement. Needs no node.

    Raises:
        InputError: the file is not an agreement.
        PeerError, AgreementError: its bytes are damaged.
    """
    return _verify(envelope_files.read(file))


def _verify(envelope: Envelope) -> AgreementVerification:
    agreement = parse_agreement(envelope.payload)
    verdicts = dict.fromkeys(agreement.agencies, "missing")
    for agency, signature in envelope.signatures.items():
        try:
            terms.verify_signature(agreement, envelope.payload, agency, signature)
            verdicts[agency] = "valid"
        except PeerError as error:
            verdicts[agency] = f"INVALID: {error.message}"
    return AgreementVerification(envelope.id.hex(), agreement.title, verdicts)
