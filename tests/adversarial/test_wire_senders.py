"""Senders that break the protocol over a real connection: real servers whose answers are bent on their way out."""

import asyncio
import json

import pytest
from tests.support.corrupt_fields import IDENTITY, NOT_CANONICAL, with_fields

from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import FAILED
from blindmatch.node.transport import gate
from blindmatch.protocol.limits import Limits

WEST, NORTH = "west-force", "north-council"
SMALL = Limits(chunk_elements=16)
OTHER_ROUND = bytes(range(1, 17))


def first_point_gone(message):
    return with_fields(message, points=message.points[32:])


def bent_rates(message, **changes):
    made = with_fields(message)
    for name, value in changes.items():
        setattr(made.rates, name, value)
    return made


def swapped_rows(message):
    width = 16 + 64 + 16
    rows = [message.rows[i : i + width] for i in range(0, len(message.rows), width)]
    return with_fields(message, rows=b"".join([rows[1], rows[0], *rows[2:]]))


WRONG_SENDERS = [
    ("EvaluatedChunk", lambda m: with_fields(m, points=IDENTITY + m.points[32:]), "bad-point"),
    ("EvaluatedChunk", lambda m: with_fields(m, points=NOT_CANONICAL + m.points[32:]), "bad-point"),
    ("EvaluatedChunk", first_point_gone, "bad-count"),
    ("EvaluatedChunk", lambda m: with_fields(m, header__sequence=m.header.sequence + 1), "bad-sequence"),
    ("EvaluatedChunk", lambda m: with_fields(m, header__round=OTHER_ROUND), "unknown-round"),
    ("EvaluatedChunk", lambda m: with_fields(m, header__version=9), "wrong-version"),
    ("EvaluatedChunk", lambda m: with_fields(m, proof=bytes(64)), "bad-proof"),
    ("TagChunk", swapped_rows, "bad-tags"),
    ("TagChunk", lambda m: with_fields(m, rows=m.rows[:-1]), "bad-message"),
    ("TagChunk", lambda m: with_fields(m, rows=m.rows[:-1] + bytes([m.rows[-1] ^ 1])), "bad-commitment"),
    ("CloseReply", lambda m: with_fields(m, signature=bytes(64)), "bad-signature"),
    ("OpenReply", lambda m: with_fields(m, header__round=OTHER_ROUND), "unknown-round"),
    ("PrepareReply", lambda m: with_fields(m, header__round=OTHER_ROUND), "unknown-round"),
    ("PrepareReply", lambda m: bent_rates(m, signature=bytes(64)), "bad-signature"),
    (
        "PrepareReply",
        lambda m: bent_rates(m, payload=m.rates.payload[:-1] + bytes([m.rates.payload[-1] ^ 1])),
        "bad-signature",
    ),
]


@pytest.mark.parametrize(
    ("kind", "bend", "code"), WRONG_SENDERS, ids=[f"{k}-{c}" for k, _, c in WRONG_SENDERS]
)
async def test_a_sender_that_answers_wrongly(town, monkeypatch, kind, bend, code):
    """The round fails with the code, no lead is kept, the audit log shows it, and an honest round works again."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    police, right = town.nodes[WEST], gate._Call._send

    async def wrong(self, message):
        await right(self, bend(message) if message.DESCRIPTOR.name == kind else message)

    async with running(town.nodes[NORTH], limits=SMALL):
        with monkeypatch.context() as patch:
            patch.setattr(gate._Call, "_send", wrong)
            outcome = await run_round(police, held.id, limits=SMALL)
        edge = outcome.edges[0]
        assert (edge.state, edge.code) == (FAILED, code)
        row = police.store.edge(outcome.round_id, edge.edge)
        assert (row.seed, row.code) == (b"", code)
        if kind != "CloseReply":  # the comparison itself was sound, only its receipt is not
            assert police.store.leads(outcome.round_id) == []
        details = [json.loads(r.detail) for r in police.store.audit_rows() if r.event == "combination"]
        assert [(d["action"], d.get("code")) for d in details] == [("opened", None), ("failed", code)]
        assert list(police.rounds_dir.iterdir()) == []
        assert (await run_round(police, held.id, limits=SMALL)).complete


@pytest.mark.parametrize(
    ("answer", "code"), [(b"\xff\xff\xff", "bad-message"), (b"", "bad-message"), (None, "unavailable")]
)
async def test_a_sender_that_answers_no_message_at_all(town, monkeypatch, answer, code):
    held = town.sign_agreement(town.agreement(WEST, NORTH))

    async def wrong(self, _message):
        if answer is not None:
            await self._context.write(answer)

    monkeypatch.setattr(gate._Call, "_send", wrong)
    async with running(town.nodes[NORTH], limits=SMALL):
        async with asyncio.timeout(60):
            outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
    assert (outcome.complete, outcome.edges[0].code) == (False, code)
