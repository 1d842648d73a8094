"""This node's agreements: kept, checked, signed, declined, withdrawn; and whether a round may start under one.

Every envelope is verified before it is kept, and parsed only then. What happens to agreements is written to the
audit log as `alteration`: the node's own rules change. No personal data is in an agreement but the names of those
who answer for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from blindmatch.node.agreements.codec import parse_agreement
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import AgreementRow
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Envelope,
    Leaving,
    Party,
    SignedWithdrawal,
    Withdrawal,
)
from blindmatch.protocol.errors import AgreementError, ConfigError, PeerCode, PeerError, StoreError
from blindmatch.protocol.linkage.schema import SchemaError, load_schema

PROPOSALS = 20
"""Proposals of one agency's node that wait for our signature; more are refused, so that none fills our disk, nor keeps
the others from proposing."""

PROPOSALS_IN_ALL = 200
"""The same over all agencies: at most 200 MiB."""

SHORT = 12
"""Hexadecimal digits of an id that people see."""


@dataclass(frozen=True)
class StoredAgreement:
    """An agreement as this node holds it: verified, parsed."""

    agreement: Agreement
    envelope: Envelope
    received_at: int
    left: Mapping[str, Withdrawal]
    """What the parties said that declined or withdrew, each verified."""
    leaving: tuple[SignedWithdrawal, ...] = ()
    """The same as it was signed, to be passed on."""

    @property
    def withdrawn(self) -> Mapping[str, Withdrawal]:
        """The parties that had signed and withdrew."""
        return {agency: word for agency, word in self.left.items() if word.kind is Leaving.WITHDRAWN}

    @property
    def declined(self) -> Mapping[str, Withdrawal]:
        """The parties that declined to sign."""
        return {agency: word for agency, word in self.left.items() if word.kind is Leaving.DECLINED}

    @property
    def id(self) -> bytes:
        """32 bytes."""
        return self.envelope.id

    @property
    def missing(self) -> tuple[str, ...]:
        """The parties that have not signed."""
        return terms.missing_signatures(self.agreement, self.envelope)


def short(agreement_id: bytes) -> str:
    """An id as people see and type it."""
    return agreement_id.hex()[:SHORT]


_REMEMBERED = 64

_verified: dict[bytes, tuple[AgreementRow, StoredAgreement]] = {}
"""What was verified in this process, beside the very bytes that it was read from: every call of a round asks for it."""


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
            hint=f'Write `{error.field} = "..."` into node.toml: it stands in every agreement that this agency signs.',
        ) from None


def hold(row: AgreementRow) -> StoredAgreement:
    """Check and parse an agreement that the store gave back.

    Raises:
        StoreError: its bytes or signatures were altered in the store.
    """
    kept = _verified.get(row.id)
    if kept is not None and kept[0] == row:
        return kept[1]
    try:
        held = _hold(row)
    except (PeerError, AgreementError) as error:
        raise StoreError(
            f"agreement {short(row.id)} is damaged in the store: {error.message}",
            hint="Restore the database from a backup, or import the agreement again from another party.",
        ) from None
    if len(_verified) >= _REMEMBERED:
        _verified.clear()
    _verified[row.id] = row, held
    return held


def _hold(row: AgreementRow) -> StoredAgreement:
    envelope = Envelope(terms.PAYLOAD_TYPE, row.payload, row.signatures)
    if envelope.id != row.id:
        raise PeerError(PeerCode.ALTERED_AGREEMENT, "its bytes are not those of its id")
    agreement = open_envelope(envelope)
    leaving = tuple(
        SignedWithdrawal(row.id, agency, kept.payload, kept.signature)
        for agency, kept in sorted(row.withdrawn_by.items())
    )
    left = {signed.agency: terms.read_withdrawal(signed, agreement) for signed in leaving}
    return StoredAgreement(agreement, envelope, row.received_at, left, leaving)


def find(node: Node, agreement_id: bytes | str) -> StoredAgreement:
    """One agreement, by its id or a unique beginning of it in hexadecimal digits.

    Raises:
        StoreError: none, or several; or damaged.
    """
    return hold(node.store.agreement(agreement_id))


def everything(node: Node) -> list[StoredAgreement]:
    """All agreements, in the order of arrival."""
    return [hold(row) for row in node.store.agreements()]


def open_envelope(envelope: Envelope) -> Agreement:
    """Verify and parse an envelope from outside.

    Raises:
        PeerError: ALTERED_AGREEMENT, or what `parse_agreement` raises.
        AgreementError: a field is wrong.
    """
    return _opened(envelope.payload, tuple(sorted(envelope.signatures.items())))


@lru_cache(maxsize=16)
def _opened(payload: bytes, signatures: tuple[tuple[str, bytes], ...]) -> Agreement:
    """The same bytes are verified and parsed once: with fifty parties that takes longer than what they allow."""
    agreement = parse_agreement(payload)
    terms.check_signatures(agreement, Envelope(terms.PAYLOAD_TYPE, payload, dict(signatures)))
    return agreement


def adopt(
    node: Node,
    envelope: Envelope,
    *,
    source: str,
    left: Iterable[SignedWithdrawal] = (),
    peer: bool = False,
) -> StoredAgreement:
    """Keep an agreement, the new signatures in an envelope and new withdrawals, after checking all of it.

    Args:
        node: this node; it must be a party, with its own keys in the entry.
        envelope: from a peer, a file, or just drafted.
        source: where it came from, for the audit log: an agency, or a word such as `file` or `draft`.
        left: who declined or withdrew, as whoever gave us the envelope holds it.
        peer: `source` is the agency whose node brought it.

    Raises:
        PeerError: WRONG_AGENCY when this node is no party; ALTERED_AGREEMENT; EXPIRED_AGREEMENT; BAD_SIGNATURE or
            BAD_MESSAGE for a withdrawal; OVER_LIMIT when too many proposals of this agency wait already.
        AgreementError: a field is wrong, or our own entry is not ours.
    """
    agreement = open_envelope(envelope)
    check_own_entry(node, agreement)
    left = tuple(left)
    for signed in left:
        terms.read_withdrawal(signed, agreement)
    kept = node.store.find_agreement(envelope.id)
    if kept is None:
        if node.clock() >= agreement.expires:
            raise PeerError(
                PeerCode.EXPIRED_AGREEMENT, f"the agreement expired on {terms.when(agreement.expires)}"
            )
        proposer = source if peer else ""
        if proposer:
            _check_room(node, proposer)
        if node.store.put_agreement(envelope.id, envelope.payload, proposed_by=proposer):
            _note(node, envelope.id, "received" if source != "draft" else "drafted", source=source)
    for agency in sorted(envelope.signatures):
        if node.store.add_signature(envelope.id, agency, envelope.signatures[agency]):
            _note(node, envelope.id, "signature received", source=source, signed_by=agency)
    for signed in left:
        note_withdrawal(node, signed, source=source)
    return find(node, envelope.id)


def check_own_entry(node: Node, agreement: Agreement) -> None:
    """The entry under our agency must hold our own keys.

    Raises:
        PeerError: WRONG_AGENCY, when this node is no party.
        AgreementError: another key stands there.
    """
    agency = node.settings.agency
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
                hint="The agreement was drafted with an old or a wrong key. Draft it again with this node reachable.",
            )


def check_schema(agreement: Agreement) -> None:
    """This node must have the linkage schema that the agreement names, byte for byte in its fixed part.

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


def sign(node: Node, held: StoredAgreement) -> StoredAgreement:
    """Sign an agreement as this node's agency. Signing again changes nothing.

    Raises:
        PeerError, AgreementError: see `check_signable`.
    """
    check_signable(node, held)
    kept = find(node, held.id)
    if node.settings.agency in kept.envelope.signatures:
        return kept
    # The log first: a signature that it does not know of must not be able to leave this node.
    _note(node, held.id, "signed")
    signature = terms.sign(held.envelope.payload, node.keys.identity)
    node.store.add_signature(held.id, node.settings.agency, signature)
    return find(node, held.id)


def check_signable(node: Node, held: StoredAgreement) -> None:
    """Whether this node may sign: the entry is ours, the schema is known, in time, nobody declined or withdrew.

    Raises:
        PeerError: WRONG_AGENCY, SCHEMA_MISMATCH or EXPIRED_AGREEMENT.
        AgreementError: our entry holds another key.
    """
    check_own_entry(node, held.agreement)
    check_schema(held.agreement)
    if held.left:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT, departures(held), hint="Draft a new agreement without what was wrong."
        )
    if node.clock() >= held.agreement.expires:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT, f"the agreement expired on {terms.when(held.agreement.expires)}"
        )


def departures(held: StoredAgreement) -> str:
    """Who declined or withdrew, in a few words; empty when nobody did."""
    return "; ".join(
        f"{kind.value} by {', '.join(agencies)}"
        for kind in Leaving
        if (agencies := sorted(agency for agency, word in held.left.items() if word.kind is kind))
    )


def ended(node: Node, agreement_id: bytes) -> PeerError | None:
    """Why nothing goes on under an agreement that a party has left, in that party's words; None when nobody has."""
    held = find(node, agreement_id)
    if not held.left:
        return None
    said = "; ".join(f"{agency}: {word.reason}" for agency, word in held.left.items() if word.reason)
    return PeerError(
        PeerCode.EXPIRED_AGREEMENT,
        departures(held) + (f" ({said})" if said else ""),
        hint="No round can run under it any more. Draft and sign a new agreement.",
    )


def withdraw(
    node: Node,
    held: StoredAgreement,
    reason: str,
    *,
    justification: str = "",
    kind: Leaving = Leaving.WITHDRAWN,
) -> SignedWithdrawal:
    """Withdraw this node's agency, or decline to sign: no further round runs under the agreement.

    Returns:
        The signed word; the first one, when this node had said it before.

    Raises:
        AgreementError: the reason is too long or unprintable, or a decline has none.
    """
    check_own_entry(node, held.agreement)
    agency = node.settings.agency
    word = Withdrawal(held.id, agency, int(node.clock()), reason, kind)
    signed = terms.sign_withdrawal(word, node.keys.identity)
    if agency not in node.store.agreement(held.id).withdrawn_by:
        _note(node, held.id, kind.value, justification=justification)
        node.store.withdraw(held.id, agency, signed.payload, signed.signature)
    kept = node.store.agreement(held.id).withdrawn_by[agency]
    return SignedWithdrawal(held.id, agency, kept.payload, kept.signature)


def decline(node: Node, held: StoredAgreement, reason: str, *, justification: str = "") -> SignedWithdrawal:
    """Decline to sign: the agreement can never start. After signing this is a withdrawal.

    Raises:
        AgreementError: the reason is missing, too long or unprintable.
    """
    signed = node.settings.agency in held.envelope.signatures
    kind = Leaving.WITHDRAWN if signed else Leaving.DECLINED
    return withdraw(node, held, reason, justification=justification, kind=kind)


def note_withdrawal(node: Node, signed: SignedWithdrawal, *, source: str = "") -> Withdrawal:
    """Verify and keep another party's decline or withdrawal, whoever brought it (`source`, an agency).

    Raises:
        PeerError: UNKNOWN_AGREEMENT, WRONG_AGENCY, BAD_SIGNATURE or BAD_MESSAGE.
    """
    row = node.store.find_agreement(signed.agreement)
    if row is None:
        raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node does not hold the agreement")
    read = terms.read_withdrawal(signed, hold(row).agreement)
    if node.store.withdraw(signed.agreement, signed.agency, signed.payload, signed.signature):
        _note(
            node, signed.agreement, read.kind.value, source=source or signed.agency, signed_by=signed.agency
        )
    return read


def ready(
    node: Node, agreement_id: bytes, now: float, *, edge: str | None = None, resuming: bytes = b""
) -> tuple[Agreement, Envelope]:
    """Whether a round may start, or go on, under an agreement.

    Args:
        node: this node.
        agreement_id: 32 bytes.
        now: seconds since 1970, UTC.
        edge: count the budget of this edge; None for the edge that has used most.
        resuming: a round under way, which has its place in the budget already.

    Returns:
        The agreement and its envelope, every signature verified.

    Raises:
        PeerError: UNKNOWN_AGREEMENT, or what `protocol.agreement.check_usable` raises; WRONG_AGENCY,
            SCHEMA_MISMATCH.
        AgreementError: no such edge, or our own entry holds another key.
        StoreError: the store's copy is damaged.
    """
    row = node.store.find_agreement(agreement_id)
    if row is None:
        raise PeerError(
            PeerCode.UNKNOWN_AGREEMENT,
            f"this node does not hold the agreement {short(agreement_id)}",
            hint="Fetch or import it, read it, and sign it.",
        )
    held = hold(row)
    agreement = held.agreement
    counted = agreement.comparisons if edge is None else (agreement.comparison(edge),)
    used = max(node.store.rounds_used(agreement_id, each.id, but=resuming) for each in counted)
    terms.check_allowed(  # `hold` verified every signature
        agreement,
        held.envelope,
        now=int(now),
        rounds_used=used,
        withdrawn=tuple(held.withdrawn),
        declined=tuple(held.declined),
    )
    check_own_entry(node, agreement)
    check_schema(agreement)
    return agreement, held.envelope


def _check_room(node: Node, proposer: str) -> None:
    waiting = node.store.waiting_proposals(node.settings.agency)
    own, every = waiting.get(proposer, 0), sum(waiting.values())
    if own >= PROPOSALS or every >= PROPOSALS_IN_ALL:
        raise PeerError(
            PeerCode.OVER_LIMIT,
            f"{own} proposals of {proposer}, of {every} in all, wait for this agency's signature already",
            hint="Its officers sign or decline those that wait.",
        )


def _note(
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
