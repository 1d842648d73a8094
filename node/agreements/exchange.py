"""Agreements between nodes: ask for party entries, push proposals and signatures, fetch what is new.

Pushing is best effort, party by party: one that is not reached fetches later, or gets a file. Both ways carry all
signatures, declines and withdrawals that the other side holds, so that news spreads through whoever is up. The channel
comes in as a `Connect`, so that this module knows neither addresses nor TLS.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import registry
from blindmatch.node.agreements.codec import Copy
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol import agreement as terms
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
    """How one party was reached: `error` is None when it was."""

    agency: str
    error: BlindmatchError | None = None


async def describe(connect: Connect, agency: str) -> Party:
    """Ask an agency's node for its own party entry.

    Raises:
        ConfigError: its address is not known.
        PeerError: it was not reached, or its entry is wrong or another agency's.
    """
    try:
        async with connect(agency, None) as link:
            party = convert.read_describe_reply(
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
    node: Node, held: StoredAgreement, connect: Connect, agencies: Iterable[str] | None = None
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Give every other party, or some, the agreement with all that we hold of it, and take in what they hold.

    Returns:
        The agreement with what came back, and per party how it went.
    """

    async def one(link: Link) -> Copy:
        request = convert.propose_request(held.envelope, held.leaving)
        return convert.read_propose_reply(await link.call(link.agreements.Propose, request))

    told = held.agreement.agencies if agencies is None else agencies
    return await _with_each(node, held, told, connect, one)


async def gather(
    node: Node, held: StoredAgreement, connect: Connect
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Fetch missing signatures: from each party that lacks one itself, then from the others while some are missing."""
    own = node.settings.agency
    missing = [agency for agency in held.missing if agency != own]
    if not missing or held.left:
        return held, []
    fresh, outcomes = await fetch(node, held, connect, missing)
    still = [agency for agency in fresh.missing if agency != own]
    if still and not fresh.left:
        others = [agency for agency in held.agreement.agencies if agency not in missing]
        fresh, more = await fetch(node, fresh, connect, others)
        outcomes += more
    return fresh, outcomes


async def fetch(
    node: Node, held: StoredAgreement, connect: Connect, agencies: Iterable[str] | None = None
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    """Ask parties, or all of them, for all that they hold: signatures, declines, withdrawals."""

    async def one(link: Link) -> Copy:
        reply = await link.call(link.agreements.Fetch, convert.fetch_request(held.id))
        return convert.read_fetch_reply(reply)

    asked = held.agreement.agencies if agencies is None else agencies
    return await _with_each(node, held, asked, connect, one)


async def push_withdrawal(
    node: Node, held: StoredAgreement, signed: SignedWithdrawal, connect: Connect
) -> list[ExchangeOutcome]:
    """Tell every other party that we decline or withdraw. Who never heard of the agreement is told of both."""

    async def one(link: Link) -> None:
        try:
            reply = await link.call(link.agreements.Withdraw, convert.withdraw_request(signed))
        except RefusalError as refusal:
            if refusal.reason is not PeerCode.UNKNOWN_AGREEMENT:
                raise
            request = convert.propose_request(held.envelope, (signed,))
            convert.read_propose_reply(await link.call(link.agreements.Propose, request))
        else:
            convert.read_withdraw_reply(reply)

    return [outcome for outcome, _ in await _each(node, held, held.agreement.agencies, connect, one)]


async def _with_each(
    node: Node,
    held: StoredAgreement,
    agencies: Iterable[str],
    connect: Connect,
    ask: Callable[[Link], Awaitable[Copy]],
) -> tuple[StoredAgreement, list[ExchangeOutcome]]:
    outcomes = []
    for outcome, copy in await _each(node, held, agencies, connect, ask):
        error = outcome.error
        if copy is not None:
            envelope, left = copy
            try:
                _same(held, envelope, outcome.agency)
                await asyncio.to_thread(registry.adopt, node, envelope, source=outcome.agency, left=left)
            except (PeerError, AgreementError) as wrong:
                error = wrong
        outcomes.append(ExchangeOutcome(outcome.agency, error))
    return await asyncio.to_thread(registry.find, node, held.id), outcomes


async def _each(
    node: Node,
    held: StoredAgreement,
    agencies: Iterable[str],
    connect: Connect,
    ask: Callable[[Link], Awaitable[Result]],
) -> list[tuple[ExchangeOutcome, Result | None]]:
    """Ask every party but ourselves, at once; an error of one is its outcome, is remembered, and nothing more."""

    async def one(agency: str) -> tuple[ExchangeOutcome, Result | None]:
        try:
            async with connect(agency, held.agreement.party(agency).certificate_key) as link:
                return ExchangeOutcome(agency), await ask(link)
        except BlindmatchError as error:
            return ExchangeOutcome(agency, error), None

    others = (agency for agency in agencies if agency != node.settings.agency)
    results = list(await asyncio.gather(*map(one, others)))
    for outcome, _ in results:
        error = "" if outcome.error is None else outcome.error.message
        await asyncio.to_thread(node.store.note_contact, held.id, outcome.agency, error)
    return results


def _same(held: StoredAgreement, envelope: terms.Envelope, agency: str) -> None:
    if envelope.payload != held.envelope.payload:
        raise PeerError(PeerCode.ALTERED_AGREEMENT, f"{agency} answered with another agreement")
