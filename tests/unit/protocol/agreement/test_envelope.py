"""An agreement's exact bytes with their signatures: which are valid, and when a round may start under them."""

import pytest
from tests.support.agencies import DAY, signed
from tests.support.sample_agreement import EAST, EVERYONE, FORCE, SOUTH, START, sample_agreement

from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Envelope,
)
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS


def test_the_id_depends_on_every_byte():
    payload = signed(sample_agreement(), ()).payload
    assert terms.agreement_id(payload) == terms.agreement_id(bytes(payload))
    assert terms.agreement_id(payload) != terms.agreement_id(payload + b"\x00")
    assert len(terms.agreement_id(payload)) == 32


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (PeerCode.BAD_MESSAGE, ("text/plain", b"x", {})),
        (PeerCode.BAD_MESSAGE, (terms.PAYLOAD_TYPE, b"", {})),
        (PeerCode.OVERSIZE, (terms.PAYLOAD_TYPE, bytes(LIMITS.agreement_bytes + 1), {})),
        (PeerCode.BAD_MESSAGE, (terms.PAYLOAD_TYPE, b"x", {"west-force": b"short"})),
        (PeerCode.BAD_MESSAGE, (terms.PAYLOAD_TYPE, b"x", {"West Force": bytes(64)})),
        (PeerCode.OVERSIZE, (terms.PAYLOAD_TYPE, b"x", {f"a{n}": bytes(64) for n in range(65)})),
    ],
)
def test_envelope(code, arguments):
    with pytest.raises(PeerError) as caught:
        Envelope(*arguments)
    assert caught.value.code is code


def test_an_envelope_does_not_change():
    signatures = {"west-force": bytes(64)}
    envelope = Envelope(terms.PAYLOAD_TYPE, b"x", signatures)
    signatures["east-council"] = bytes(64)
    assert set(envelope.signatures) == {"west-force"}
    with pytest.raises(TypeError):
        envelope.signatures["x"] = bytes(64)  # type: ignore[index]
    more = envelope.with_signatures({"east-council": bytes(64), "west-force": b"\x01" * 64})
    assert more.signatures == {"east-council": bytes(64), "west-force": bytes(64)}
    assert hash(more) == hash(envelope)


def usable(**changes):
    arguments = {
        "now": START,
        "rounds_used": 0,
        "withdrawn": (),
        "envelope": signed(sample_agreement(), EVERYONE),
    }
    arguments |= changes
    terms.check_signatures(sample_agreement(), arguments["envelope"])
    terms.check_allowed(sample_agreement(), **arguments)


def test_everything_in_order_is_usable():
    usable()
    usable(now=START + 30 * DAY - 1, rounds_used=9)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (PeerCode.EXPIRED_AGREEMENT, {"now": START - 1}),
        (PeerCode.EXPIRED_AGREEMENT, {"now": START + 30 * DAY}),
        (PeerCode.EXPIRED_AGREEMENT, {"withdrawn": ("east-council",)}),
        (PeerCode.EXPIRED_AGREEMENT, {"declined": ("east-council",)}),
        (
            PeerCode.EXPIRED_AGREEMENT,
            {"declined": ("east-council",), "envelope": signed(sample_agreement(), (FORCE, SOUTH))},
        ),
        (
            PeerCode.EXPIRED_AGREEMENT,
            {"withdrawn": ("east-council",), "envelope": signed(sample_agreement(), (FORCE, EAST))},
        ),
        (PeerCode.BUDGET_SPENT, {"rounds_used": 10}),
        (PeerCode.UNSIGNED_AGREEMENT, {"envelope": signed(sample_agreement(), (FORCE, EAST))}),
        (PeerCode.UNSIGNED_AGREEMENT, {"envelope": signed(sample_agreement(), ())}),
    ],
)
def test_unusable(code, changes):
    with pytest.raises(PeerError) as caught:
        usable(**changes)
    assert caught.value.code is code
    assert caught.value.hint


def test_missing_signatures_are_named():
    envelope = signed(sample_agreement(), (EAST,))
    assert terms.missing_signatures(sample_agreement(), envelope) == ("west-force", "south-council")
    with pytest.raises(PeerError, match="west-force, south-council missing"):
        usable(envelope=envelope)
