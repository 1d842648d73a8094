"""This node's agreements: kept, checked, signed, withdrawn; and whether a round may start under one.

Every envelope is verified before it is kept, and parsed only then. What happens to agreements is written to the
audit log as `alteration`: the node's own rules change. No personal data is in an agreement but the names of those
who answer for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from blindmatch.node.audit import AuditEvent
from blindmatch.node.convert.agreement import parse_agreement
from blindmatch.node.home import Node
from blindmatch.node.store import AgreementRow
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Envelope, Party, SignedWithdrawal, Withdrawal
from blindmatch.protocol.errors import AgreementError, ConfigError, PeerCode, PeerError, StoreError
from blindmatch.protocol.linkage.schema import SchemaError, load_schema

PROPOSALS = 200
"""Proposals that wait for our signature; more are refused, so that no party can fill our disk."""

SHORT = 12
"""Hexadecimal digits of an id that people see."""


@dataclass(frozen=True)
class Held:
    """An agreement as this node holds it: verified, parsed."""

    agreement: Agreement
    envelope: Envelope
    received_at: int
    withdrawn: Mapping[str, Withdrawal]

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


def hold(row: AgreementRow) -> Held:
    """Check and parse an agreement that the store gave back.

    Raises:
        StoreError: its bytes or signatures were altered in the store.
    """
    try:
        return _hold(row)
    except (PeerError, AgreementError) as error:
        raise StoreError(
            f"agreement {short(row.id)} is damaged in the store: {error.message}",
            hint="Restore the database from a backup, or import the agreement again from another party.",
        ) from None


def _hold(row: AgreementRow) -> Held:
    envelope = Envelope(terms.PAYLOAD_TYPE, row.payload, row.signatures)
    if envelope.id != row.id:
        raise PeerError(PeerCode.ALTERED_AGREEMENT, "its bytes are not those of its id")
    agreement = open_envelope(envelope)
    withdrawn = {
        agency: terms.read_withdrawal(
            SignedWithdrawal(row.id, agency, kept.payload, kept.signature), agreement
        )
        for agency, kept in row.withdrawn_by.items()
    }
    return Held(agreement, envelope, row.received_at, withdrawn)


def find(node: Node, agreement_id: bytes | str) -> Held:
    """One agreement, by its id or a unique beginning of it in hexadecimal digits.

    Raises:
        StoreError: none, or several; or damaged.
    """
    return hold(node.store.agreement(agreement_id))


def everything(node: Node) -> list[Held]:
    """All agreements, in the order of arrival."""
    return [hold(row) for row in node.store.agreements()]


def open_envelope(envelope: Envelope) -> Agreement:
    """Verify and parse an envelope from outside.

    Raises:
        PeerError: ALTERED_AGREEMENT, or what `parse_agreement` raises.
        AgreementError: a field is wrong.
    """
    agreement = parse_agreement(envelope.payload)
    terms.check_signatures(agreement, envelope)
    return agreement


def adopt(node: Node, envelope: Envelope, *, source: str) -> Held:
    """Keep an agreement and the new signatures in an envelope, after checking all of it.

    Args:
        node: this node; it must be a party, with its own keys in the entry.
        envelope: from a peer, a file, or just drafted.
        source: where it came from, for the audit log: an agency, or a word such as `file` or `draft`.

    Raises:
        PeerError: WRONG_AGENCY when this node is no party; ALTERED_AGREEMENT; EXPIRED_AGREEMENT; OVER_LIMIT when too
            many proposals wait already.
        AgreementError: a field is wrong, or our own entry is not ours.
    """
    agreement = open_envelope(envelope)
    check_own_entry(node, agreement)
    kept = node.store.find_agreement(envelope.id)
    if kept is None:
        if node.clock() >= agreement.expires:
            raise PeerError(
                PeerCode.EXPIRED_AGREEMENT, f"the agreement expired on {terms.when(agreement.expires)}"
            )
        _check_room(node)
        if node.store.put_agreement(envelope.id, envelope.payload):
            _note(node, envelope.id, "received" if source != "draft" else "drafted", source=source)
    for agency in sorted(envelope.signatures):
        if node.store.add_signature(envelope.id, agency, envelope.signatures[agency]):
            _note(node, envelope.id, "signature received", source=source, signed_by=agency)
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


def sign(node: Node, held: Held) -> Held:
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


def check_signable(node: Node, held: Held) -> None:
    """Whether this node may sign: the entry is ours, the schema is known, in time, nobody withdrew.

    Raises:
        PeerError: WRONG_AGENCY, SCHEMA_MISMATCH or EXPIRED_AGREEMENT.
        AgreementError: our entry holds another key.
    """
    check_own_entry(node, held.agreement)
    check_schema(held.agreement)
    if held.withdrawn:
        raise PeerError(PeerCode.EXPIRED_AGREEMENT, f"withdrawn by {', '.join(sorted(held.withdrawn))}")
    if node.clock() >= held.agreement.expires:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT, f"the agreement expired on {terms.when(held.agreement.expires)}"
        )


def withdraw(node: Node, held: Held, reason: str, *, justification: str = "") -> SignedWithdrawal:
    """Withdraw this node's agency: no further round runs under the agreement.

    Returns:
        The signed withdrawal; the first one, when this node had withdrawn before.

    Raises:
        PeerError: WRONG_AGENCY, when this node is no party.
        AgreementError: the reason is too long or unprintable.
    """
    check_own_entry(node, held.agreement)
    agency = node.settings.agency
    word = Withdrawal(held.id, agency, int(node.clock()), reason)
    signed = terms.sign_withdrawal(word, node.keys.identity)
    if agency not in node.store.agreement(held.id).withdrawn_by:
        _note(node, held.id, "withdrawn", justification=justification)
        node.store.withdraw(held.id, agency, signed.payload, signed.signature)
    kept = node.store.agreement(held.id).withdrawn_by[agency]
    return SignedWithdrawal(held.id, agency, kept.payload, kept.signature)


def note_withdrawal(node: Node, signed: SignedWithdrawal) -> Withdrawal:
    """Verify and keep another party's withdrawal.

    Raises:
        PeerError: UNKNOWN_AGREEMENT, WRONG_AGENCY, BAD_SIGNATURE or BAD_MESSAGE.
    """
    row = node.store.find_agreement(signed.agreement)
    if row is None:
        raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node does not hold the agreement")
    read = terms.read_withdrawal(signed, hold(row).agreement)
    if node.store.withdraw(signed.agreement, signed.agency, signed.payload, signed.signature):
        _note(node, signed.agreement, "withdrawn", source=signed.agency)
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
    terms.check_usable(
        agreement, held.envelope, now=int(now), rounds_used=used, withdrawn=tuple(held.withdrawn)
    )
    check_own_entry(node, agreement)
    check_schema(agreement)
    return agreement, held.envelope


def _check_room(node: Node) -> None:
    agency = node.settings.agency
    waiting = sum(
        agency not in row.signatures and agency not in row.withdrawn_by for row in node.store.agreements()
    )
    if waiting >= PROPOSALS:
        raise PeerError(
            PeerCode.OVER_LIMIT,
            f"{waiting} proposals wait for this agency's signature already",
            hint="Sign or withdraw from those that wait.",
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
