"""Agreements between nodes: fetch party entries, push proposals and signatures, fetch updates.

Pushing is best effort, party by party: a party that is not reached fetches later, or gets a file. Push and fetch both
carry all signatures, declines and withdrawals that the other side holds, so that they spread through the nodes that
are running. The channel comes in as a `Connect`, so that this module knows neither addresses nor TLS.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import registry
from blindmatch.node.agreements.codec import AgreementCopy
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.agreement import Party, SignedWithdrawal
from blindmatch.protocol.errors import AgreementError, BlindmatchError, PeerCode, PeerError

Result = TypeVar("Result")


class Link(Protocol):
    """An open channel to one agency's node (`node.client.Peer` is one)."""

    @property
    def agreements(self) -> Any:
        """The stub of the Agreements service."""

    async def call(self, method: Callable[..., Awaitable[Any]], request: Any) -> Any:
        """One unary call; raises `PeerError`."""


Connect = Callable[[str, bytes | None], AbstractAsyncContextManager[Link]]
"""Opens a channel to an agency; the second argument is the certificate key to insist on, 32 bytes."""


@dataclass(frozen=True)
class ExchangeOutcome:
    """The outcome for one party: `error` is None when the party was reached."""

    agency: str
    error: BlindmatchError | None = None

    def data(self) -> dict[str, str | None]:
        """Plain values, as JSON has them."""
        return {"agency": self.agency, "error": None if self.error is None else self.error.message}


async def fetch_entry(connect: Connect, agency: str) -> Party:
    """Ask an agency's node for its own party entry.

    Raises:
        ConfigError: its address is not known.
        PeerError: the node was not reached, or its entry is wrong or another agency's.
    """
    try:
        async with connect(agency, None) as link:
            party = convert.describe_reply.read(
                await link.call(link.agreements.Describe, convert.describe_request())
            )
    except PeerError as error:
        raise PeerError(
            error.code,
            f"{agency}'s entry is not known: {error.message}",
            hint=f"{error.hint} Or write its entry out in the draft and use --offline.".strip(),
        ) from None
    if party.agency != agency:
        raise PeerError(PeerCode.WRONG_AGENCY, f"the node of {agency} describes itself as {party.agency}")
    return party


async def push(
    node: Node, stored: StoredAgreement, connect: Connect, agencies: Iterable[str] | None = None
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Send every other party, or some, the agreement with all that this node holds of it, and store what they return.

    Returns:
        The updated agreement, and the outcome for each party.
    """

    async def propose(link: Link) -> AgreementCopy:
        request = convert.propose_request(stored.envelope, stored.signed_withdrawals)
        return convert.propose_reply.read(await link.call(link.agreements.Propose, request))

    return await _merge_answers(node, stored, agencies, connect, propose)


async def collect_signatures(
    node: Node, stored: StoredAgreement, connect: Connect
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Fetch missing signatures: first from the parties whose own are missing, then from the others while some are."""
    missing = [agency for agency in stored.missing if agency != node.agency]
    if not missing or stored.withdrawals:
        return stored, []
    fresh, outcomes = await fetch(node, stored, connect, missing)
    still = [agency for agency in fresh.missing if agency != node.agency]
    if still and not fresh.withdrawals:
        others = [agency for agency in stored.agreement.agencies if agency not in missing]
        fresh, more = await fetch(node, fresh, connect, others)
        outcomes += more
    return fresh, outcomes


async def fetch(
    node: Node, stored: StoredAgreement, connect: Connect, agencies: Iterable[str] | None = None
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Fetch from the given parties, or from all, what they hold: signatures, declines, withdrawals."""

    async def ask(link: Link) -> AgreementCopy:
        reply = await link.call(link.agreements.Fetch, convert.fetch_request(stored.id))
        return convert.fetch_reply.read(reply)

    return await _merge_answers(node, stored, agencies, connect, ask)


async def push_withdrawal(
    node: Node, stored: StoredAgreement, signed: SignedWithdrawal, connect: Connect
) -> list[ExchangeOutcome]:
    """Send our decline or withdrawal to every other party. A party that does not have the agreement gets both."""

    async def send(link: Link) -> None:
        try:
            reply = await link.call(link.agreements.Withdraw, convert.withdraw_request(signed))
        except RefusalError as refusal:
            if refusal.reason is not PeerCode.UNKNOWN_AGREEMENT:
                raise
            request = convert.propose_request(stored.envelope, (signed,))
            convert.propose_reply.read(await link.call(link.agreements.Propose, request))
        else:
            convert.withdraw_reply.read(reply)

    return [outcome for outcome, _ in await _call_each(node, stored, None, connect, send)]


async def _merge_answers(
    node: Node,
    stored: StoredAgreement,
    agencies: Iterable[str] | None,
    connect: Connect,
    ask: Callable[[Link], Awaitable[AgreementCopy]],
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    outcomes = []
    for outcome, copy in await _call_each(node, stored, agencies, connect, ask):
        error = outcome.error
        if copy is not None and copy[0].payload != stored.envelope.payload:
            problem = f"{outcome.agency} answered with another agreement"
            error = PeerError(PeerCode.ALTERED_AGREEMENT, problem)
        elif copy is not None:
            envelope, withdrawals = copy
            try:
                await asyncio.to_thread(
                    registry.adopt, node, envelope, source=outcome.agency, withdrawals=withdrawals
                )
            except (PeerError, AgreementError) as wrong:
                error = wrong
        outcomes.append(ExchangeOutcome(outcome.agency, error))
    return await asyncio.to_thread(registry.find, node, stored.id), outcomes


async def _call_each(
    node: Node,
    stored: StoredAgreement,
    agencies: Iterable[str] | None,
    connect: Connect,
    ask: Callable[[Link], Awaitable[Result]],
) -> list[tuple[ExchangeOutcome, Result | None]]:
    """Call every other party, or some, all at once. An error of one party is stored as its outcome and stops no other call."""

    async def one(agency: str) -> tuple[ExchangeOutcome, Result | None]:
        try:
            async with connect(agency, stored.agreement.party(agency).certificate_key) as link:
                return ExchangeOutcome(agency), await ask(link)
        except BlindmatchError as error:
            return ExchangeOutcome(agency, error), None

    parties = stored.agreement.agencies if agencies is None else agencies
    others = (agency for agency in parties if agency != node.agency)
    results = list(await asyncio.gather(*map(one, others)))
    for outcome, _ in results:
        error = "" if outcome.error is None else outcome.error.message
        await asyncio.to_thread(node.store.note_contact, stored.id, outcome.agency, error)
    return results
