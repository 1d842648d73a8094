"""Lying statements of rates, one at a time: each gets its own code, before anything is made of it."""

from dataclasses import replace

import pytest
from tests.support.hits_sessions import COUNCIL, POLICE, Edge

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.rates_statement import (
    NOTHING,
    RATES_BYTES,
    RATES_TYPE,
    RatesStatement,
    statement_digest,
)
from blindmatch.protocol.session.statements import COMMITMENT_TYPE
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, sign

CONTEXT = Edge.of([1, 2], [2, 3]).context
SCHEMA = b"s" * 32
OURS = RatesStatement(Role.RECEIVER, SCHEMA, 10, b"rates")


def check(signed, *, key=POLICE.public, role=Role.RECEIVER, most=10, answers=NOTHING, context=CONTEXT):
    return RatesStatement.check(signed, key, role, context, schema=SCHEMA, most=most, answers=answers)


def refused(code, signed, **more):
    with pytest.raises(PeerError) as caught:
        check(signed, **more)
    assert caught.value.code is code, caught.value


def test_a_statement_says_what_was_signed_and_is_the_same_bytes_again():
    signed = OURS.sign(POLICE, CONTEXT)
    assert check(signed) == OURS
    assert OURS.sign(POLICE, CONTEXT) == signed


def test_an_answer_names_the_statement_that_it_answers():
    first = OURS.sign(POLICE, CONTEXT)
    other = replace(OURS, records=9).sign(POLICE, CONTEXT)
    answer = RatesStatement(Role.SENDER, SCHEMA, 5, b"", statement_digest(first))
    signed = answer.sign(COUNCIL, CONTEXT)
    assert check(signed, key=COUNCIL.public, role=Role.SENDER, answers=statement_digest(first)) == answer
    refused(
        PeerCode.BAD_COMMITMENT, signed, key=COUNCIL.public, role=Role.SENDER, answers=statement_digest(other)
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"agreement": b"b" * 32}, PeerCode.UNKNOWN_AGREEMENT),
        ({"round_id": b"another-round-id"}, PeerCode.UNKNOWN_ROUND),
        ({"edge": "another-edge"}, PeerCode.UNKNOWN_ROUND),
        ({"receiver": "another"}, PeerCode.WRONG_AGENCY),
        ({"sender": "another"}, PeerCode.WRONG_AGENCY),
        ({"verified": True}, PeerCode.BAD_COMMITMENT),
    ],
)
def test_a_statement_of_another_edge(change, code):
    refused(code, OURS.sign(POLICE, replace(CONTEXT, **change)))


def test_the_keys_are_no_part_of_the_edge_yet():
    assert check(OURS.sign(POLICE, replace(CONTEXT, keys_digest=b"k" * 32))) == OURS


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"records": 0}, PeerCode.OVER_LIMIT),
        ({"records": 11}, PeerCode.OVER_LIMIT),
        ({"schema": b"t" * 32}, PeerCode.SCHEMA_MISMATCH),
        ({"role": Role.SENDER}, PeerCode.BAD_COMMITMENT),
        ({"answers": b"a" * 32}, PeerCode.BAD_COMMITMENT),
        ({"rates": bytes(RATES_BYTES + 1)}, PeerCode.OVERSIZE),
    ],
)
def test_a_statement_that_the_agreement_does_not_allow(change, code):
    refused(code, replace(OURS, **change).sign(POLICE, CONTEXT))


def test_a_statement_that_somebody_else_signed_or_that_was_altered():
    signed = OURS.sign(POLICE, CONTEXT)
    refused(PeerCode.BAD_SIGNATURE, signed, key=COUNCIL.public)
    refused(PeerCode.BAD_SIGNATURE, Signed(signed.payload[:-1] + b"\1", signed.signature))
    # A signature over the same bytes as another kind of statement.
    refused(PeerCode.BAD_SIGNATURE, sign(POLICE, COMMITMENT_TYPE, signed.payload))


@pytest.mark.parametrize("damage", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: p[1:], lambda _: b""])
def test_a_statement_in_another_form(damage):
    refused(PeerCode.BAD_MESSAGE, sign(POLICE, RATES_TYPE, damage(OURS.sign(POLICE, CONTEXT).payload)))
