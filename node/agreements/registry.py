"""This node's agreements: stored, checked, signed, declined, withdrawn; and whether a round may start under one.

Every envelope is verified before it is stored, and parsed only then. Every change of an agreement is written to the
audit log as `alteration`: the node's own rules change. An agreement holds no personal data except the names of the
people who answer for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from blindmatch.node.agreements.payload import parse_agreement
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import AgreementRow
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Envelope,
    Party,
    SignedWithdrawal,
    Withdrawal,
    WithdrawalKind,
)
from blindmatch.protocol.errors import AgreementError, ConfigError, PeerCode, PeerError, StoreError
from blindmatch.protocol.linkage.schema import Schema, SchemaError, load_schema

PROPOSALS_PER_AGENCY = 20
"""Proposals of one agency's node that may wait for our signature. More are refused, so that no agency fills our disk or
keeps the others from proposing."""

PROPOSALS_IN_TOTAL = 200
"""The same over all agencies: at most 200 MiB."""

SHORT_ID_DIGITS = 12
"""Hexadecimal digits of an id that are shown to people."""


@dataclass(frozen=True)
class StoredAgreement:
    """An agreement that this node stores, verified and parsed."""

    agreement: Agreement
    envelope: Envelope
    received_at: int
    withdrawals: Mapping[str, Withdrawal]
    """The declines and withdrawals, verified, by agency."""
    signed_withdrawals: tuple[SignedWithdrawal, ...] = ()
    """The same as they were signed, to be passed on."""

    @property
    def withdrawn(self) -> Mapping[str, Withdrawal]:
        """The parties that had signed and withdrew."""
        return self.by_kind(WithdrawalKind.WITHDRAWN)

    @property
    def declined(self) -> Mapping[str, Withdrawal]:
        """The parties that declined to sign."""
        return self.by_kind(WithdrawalKind.DECLINED)

    @property
    def id(self) -> bytes:
        """32 bytes."""
        return self.envelope.id

    @property
    def missing(self) -> tuple[str, ...]:
        """The parties that have not signed."""
        return terms.missing_signatures(self.agreement, self.envelope)

    def by_kind(self, kind: WithdrawalKind) -> Mapping[str, Withdrawal]:
        """The declines, or the withdrawals, by agency."""
        return {agency: each for agency, each in self.withdrawals.items() if each.kind is kind}


def short_id(agreement_id: bytes) -> str:
    """An id as people see and type it."""
    return agreement_id.hex()[:SHORT_ID_DIGITS]


def own_party(node: Node) -> Party:
    """This node's own entry for an agreement.

    Raises:
        ConfigError: node.toml lacks something that every party must state.
    """
    settings, keys = node.settings, node.keys
    try:
        return Party(
            agency=settings.agency,
            name=settings.name,
            role=settings.role,
            identity_key=keys.identity_public,
            certificate_key=keys.certificate_key,
            legal_basis=settings.legal_basis,
            contact=settings.contact,
        )
    except AgreementError as error:
        raise ConfigError(
            f"node.toml: {error.message}",
            hint=f'Write `{error.field} = "..."` into node.toml: every agreement that this agency signs states it.',
        ) from None


@lru_cache(maxsize=64)  # every call of a round needs one
def open_stored(row: AgreementRow) -> StoredAgreement:
    """Verify and parse an agreement that the store returned.

    Raises:
        StoreError: its bytes or signatures were altered in the store.
    """
    try:
        return _read_row(row)
    except (PeerError, AgreementError) as error:
        raise StoreError(
            f"agreement {short_id(row.id)} is damaged in the store: {error.message}",
            hint="Restore the database from a backup, or import the agreement again from another party.",
        ) from None


def _read_row(row: AgreementRow) -> StoredAgreement:
    envelope = Envelope(terms.PAYLOAD_TYPE, row.payload, row.signatures)
    if envelope.id != row.id:
        raise PeerError(PeerCode.ALTERED_AGREEMENT, "its bytes are not those of its id")
    agreement = open_envelope(envelope)
    signed_withdrawals = tuple(
        SignedWithdrawal(row.id, agency, each.payload, each.signature)
        for agency, each in sorted(row.withdrawn_by.items())
    )
    withdrawals = {signed.agency: terms.read_withdrawal(signed, agreement) for signed in signed_withdrawals}
    return StoredAgreement(agreement, envelope, row.received_at, withdrawals, signed_withdrawals)


def find(node: Node, agreement_id: bytes | str) -> StoredAgreement:
    """One agreement, by its id or a unique beginning of it in hexadecimal digits.

    Raises:
        StoreError: none, or several; or damaged.
    """
    return open_stored(node.store.agreement(agreement_id))


def list_agreements(node: Node) -> list[StoredAgreement]:
    """All agreements, in the order of arrival."""
    return [open_stored(row) for row in node.store.agreements()]


@lru_cache(maxsize=16)  # with fifty parties this takes longer than the calls that need it
def open_envelope(envelope: Envelope) -> Agreement:
    """Verify and parse an envelope from outside.

    Raises:
        PeerError: ALTERED_AGREEMENT, or what `parse_agreement` raises.
        AgreementError: a field is wrong.
    """
    agreement = parse_agreement(envelope.payload)
    terms.check_signatures(agreement, envelope)
    return agreement


def adopt(
    node: Node,
    envelope: Envelope,
    *,
    source: str,
    withdrawals: Iterable[SignedWithdrawal] = (),
    peer: bool = False,
) -> StoredAgreement:
    """Store an agreement, the new signatures in an envelope and new withdrawals, after checking all of them.

    Args:
        node: this node; it must be a party, with its own keys in the entry.
        envelope: from a peer, a file, or just drafted.
        source: where it came from, for the audit log: an agency, `file` or `draft`.
        withdrawals: the declines and withdrawals that came with the envelope.
        peer: whether `source` is the agency whose node sent it.

    Raises:
        PeerError: WRONG_AGENCY when this node is no party; ALTERED_AGREEMENT; EXPIRED_AGREEMENT; BAD_SIGNATURE or
            BAD_MESSAGE for a withdrawal; OVER_LIMIT when too many proposals of this agency wait already.
        AgreementError: a field is wrong, or our own entry is not ours.
    """
    agreement = open_envelope(envelope)
    check_own_entry(node, agreement)
    withdrawals = tuple(withdrawals)
    for signed in withdrawals:
        terms.read_withdrawal(signed, agreement)
    if node.store.find_agreement(envelope.id) is None:
        _check_not_expired(node, agreement)
        proposer = source if peer else ""
        if proposer:
            _check_room(node, proposer)
        if node.store.put_agreement(envelope.id, envelope.payload, proposed_by=proposer):
            _audit(node, envelope.id, "received" if source != "draft" else "drafted", source=source)
    for agency in sorted(envelope.signatures):
        if node.store.add_signature(envelope.id, agency, envelope.signatures[agency]):
            _audit(node, envelope.id, "signature received", source=source, signed_by=agency)
    for signed in withdrawals:
        record_withdrawal(node, signed, source=source)
    return find(node, envelope.id)


def check_own_entry(node: Node, agreement: Agreement) -> None:
    """The entry under our agency must hold our own keys.

    Raises:
        PeerError: WRONG_AGENCY, when this node is no party.
        AgreementError: it holds another key.
    """
    agency = node.agency
    if agency not in agreement.agencies:
        raise PeerError(PeerCode.WRONG_AGENCY, f"{agency} is not a party of this agreement")
    index = agreement.agencies.index(agency)
    party = agreement.parties[index]
    for name, ours in (
        ("identity_key", node.keys.identity_public),
        ("certificate_key", node.keys.certificate_key),
    ):
        if getattr(party, name) != ours:
            raise AgreementError(
                f"parties[{index}].{name}",
                f"is not the key of {agency}'s node",
                hint="The agreement was drafted with an old or a wrong key. Draft it again while this node can be reached.",
            )


def check_schema(agreement: Agreement) -> Schema:
    """The linkage schema that the agreement names. This node must have it, with an identical fixed part.

    Raises:
        PeerError: SCHEMA_MISMATCH.
    """
    try:
        known = load_schema(agreement.schema)
    except SchemaError as error:
        raise PeerError(PeerCode.SCHEMA_MISMATCH, error.message, hint=error.hint) from None
    if known.digest != agreement.schema_digest:
        raise PeerError(
            PeerCode.SCHEMA_MISMATCH,
            f"the agreement's linkage schema {agreement.schema} is not the one that this node has",
            hint="The parties run versions of blindmatch with different schemas. Install the same version.",
        )
    return known


def sign(node: Node, stored: StoredAgreement) -> StoredAgreement:
    """Sign an agreement as this node's agency. Signing again changes nothing.

    Raises:
        PeerError, AgreementError: see `check_signable`.
    """
    check_signable(node, stored)
    current = find(node, stored.id)
    if node.agency in current.envelope.signatures:
        return current
    # Write the audit entry first: a signature without an entry must not be able to leave this node.
    _audit(node, stored.id, "signed")
    signature = terms.sign(stored.envelope.payload, node.keys.identity)
    node.store.add_signature(stored.id, node.agency, signature)
    return find(node, stored.id)


def check_signable(node: Node, stored: StoredAgreement) -> None:
    """Whether this node may sign: own keys in the entry, known schema, not expired, no decline and no withdrawal.

    Raises:
        PeerError: WRONG_AGENCY, SCHEMA_MISMATCH or EXPIRED_AGREEMENT.
        AgreementError: our entry holds another key.
    """
    check_own_entry(node, stored.agreement)
    check_schema(stored.agreement)
    if stored.withdrawals:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT,
            describe_withdrawals(stored),
            hint="Draft a new agreement that resolves the reason given.",
        )
    _check_not_expired(node, stored.agreement)


def describe_withdrawals(stored: StoredAgreement) -> str:
    """The parties that declined or withdrew, in one line; empty when there are none."""
    return "; ".join(
        f"{kind.value} by {', '.join(sorted(agencies))}"
        for kind in WithdrawalKind
        if (agencies := stored.by_kind(kind))
    )


def termination(node: Node, agreement_id: bytes) -> PeerError | None:
    """The error for every round under an agreement that a party has declined or withdrawn from; None if no party has."""
    stored = find(node, agreement_id)
    if not stored.withdrawals:
        return None
    reasons = "; ".join(
        f"{agency}: {each.reason}" for agency, each in stored.withdrawals.items() if each.reason
    )
    return PeerError(
        PeerCode.EXPIRED_AGREEMENT,
        describe_withdrawals(stored) + (f" ({reasons})" if reasons else ""),
        hint="No round can run under this agreement. Draft and sign a new one.",
    )


def withdraw(
    node: Node,
    stored: StoredAgreement,
    reason: str,
    *,
    justification: str = "",
    kind: WithdrawalKind = WithdrawalKind.WITHDRAWN,
) -> SignedWithdrawal:
    """Withdraw this node's agency, or decline to sign: no further round runs under the agreement.

    Returns:
        The signed withdrawal; the first one, if this node had declined or withdrawn before.

    Raises:
        AgreementError: the reason is too long or unprintable, or a decline has none.
    """
    check_own_entry(node, stored.agreement)
    agency = node.agency
    withdrawal = Withdrawal(stored.id, agency, int(node.clock()), reason, kind)
    signed = terms.sign_withdrawal(withdrawal, node.keys.identity)
    if agency not in node.store.agreement(stored.id).withdrawn_by:
        _audit(node, stored.id, kind.value, justification=justification)
        node.store.withdraw(stored.id, agency, signed.payload, signed.signature)
    first = node.store.agreement(stored.id).withdrawn_by[agency]
    return SignedWithdrawal(stored.id, agency, first.payload, first.signature)


def decline(node: Node, stored: StoredAgreement, reason: str, *, justification: str = "") -> SignedWithdrawal:
    """Decline to sign: the agreement can never start. After signing this is a withdrawal.

    Raises:
        AgreementError: the reason is missing, too long or unprintable.
    """
    signed = node.agency in stored.envelope.signatures
    kind = WithdrawalKind.WITHDRAWN if signed else WithdrawalKind.DECLINED
    return withdraw(node, stored, reason, justification=justification, kind=kind)


def record_withdrawal(node: Node, signed: SignedWithdrawal, *, source: str = "") -> Withdrawal:
    """Verify and store another party's decline or withdrawal; `source` is the agency that sent it.

    Raises:
        PeerError: UNKNOWN_AGREEMENT, WRONG_AGENCY, BAD_SIGNATURE or BAD_MESSAGE.
    """
    row = node.store.find_agreement(signed.agreement)
    if row is None:
        raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node does not hold the agreement")
    read = terms.read_withdrawal(signed, open_stored(row).agreement)
    if node.store.withdraw(signed.agreement, signed.agency, signed.payload, signed.signature):
        _audit(
            node, signed.agreement, read.kind.value, source=source or signed.agency, signed_by=signed.agency
        )
    return read


def usable_agreement(
    node: Node, agreement_id: bytes, now: float, *, edge: str | None = None, resuming: bytes = b""
) -> tuple[Agreement, Envelope]:
    """The agreement, if a round may start or continue under it.

    Args:
        node: this node.
        agreement_id: 32 bytes.
        now: seconds since 1970, UTC.
        edge: count the budget of this edge; None for the edge that has used most.
        resuming: a running round, which is counted in the budget already.

    Returns:
        The agreement and its envelope, every signature verified.

    Raises:
        PeerError: UNKNOWN_AGREEMENT, or what `protocol.agreement.check_allowed` raises; WRONG_AGENCY,
            SCHEMA_MISMATCH.
        AgreementError: no such edge, or our own entry holds another key.
        StoreError: the store's copy is damaged.
    """
    row = node.store.find_agreement(agreement_id)
    if row is None:
        raise PeerError(
            PeerCode.UNKNOWN_AGREEMENT,
            f"this node does not hold the agreement {short_id(agreement_id)}",
            hint="Fetch or import the agreement, read it, and sign it.",
        )
    stored = open_stored(row)
    agreement = stored.agreement
    counted = agreement.comparisons if edge is None else (agreement.comparison(edge),)
    used = max(node.store.rounds_used(agreement_id, each.id, but=resuming) for each in counted)
    terms.check_allowed(  # `open_stored` has verified every signature
        agreement,
        stored.envelope,
        now=int(now),
        rounds_used=used,
        withdrawn=stored.withdrawn,
        declined=stored.declined,
    )
    check_own_entry(node, agreement)
    check_schema(agreement)
    return agreement, stored.envelope


def _check_not_expired(node: Node, agreement: Agreement) -> None:
    if node.clock() >= agreement.expires:
        reason = f"the agreement expired on {terms.format_time(agreement.expires)}"
        raise PeerError(PeerCode.EXPIRED_AGREEMENT, reason)


def _check_room(node: Node, proposer: str) -> None:
    waiting = node.store.waiting_proposals(node.agency)
    own, every = waiting.get(proposer, 0), sum(waiting.values())
    if own >= PROPOSALS_PER_AGENCY or every >= PROPOSALS_IN_TOTAL:
        raise PeerError(
            PeerCode.OVER_LIMIT,
            f"{own} proposals of {proposer}, of {every} in total, wait for this agency's signature already",
            hint="The officers of this agency sign or decline the waiting proposals first.",
        )


def _audit(
    node: Node,
    agreement_id: bytes,
    action: str,
    *,
    source: str = "",
    justification: str = "",
    **more: str,
) -> None:
    detail = {"action": action, **({"from": source} if source else {}), **more}
    node.audit.append(
        AuditEvent.ALTERATION,
        subject=f"agreement {agreement_id.hex()}",
        detail=detail,
        justification=justification,
    )
