"""The minimum and the bands at their edges, and outcomes that the agreement's terms cannot give."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.aggregate_sessions import AggregateEdge
from tests.support.hits_sessions import COUNCIL, POLICE, Rows

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band, permitted_band
from blindmatch.protocol.aggregate.messages import AggregateInputs
from blindmatch.protocol.aggregate.statements import OUTCOME_TYPE, AggregateOutcome, OutcomeContext
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.transcript import sign

COUNT = AggregateEdge.count([[1], [2], [3]], [1, 2, 3]).context
SUM = AggregateEdge.sum([1], [[1]], [1]).context
POINT = bytes([7]) * 32


@pytest.mark.parametrize(
    ("matched", "minimum", "band", "told"),
    [
        (0, 3, 1, None),
        (2, 3, 1, None),
        (3, 3, 1, Band(3, 3)),
        (4, 3, 1, Band(4, 4)),
        (4, 5, 10, None),
        (5, 5, 10, Band(5, 9)),  # the lowest band begins at the minimum
        (9, 5, 10, Band(5, 9)),
        (10, 5, 10, Band(10, 19)),
        (19, 5, 10, Band(10, 19)),
        (20, 5, 10, Band(20, 29)),
        (12, 12, 10, Band(12, 19)),
        (20_000_000, 3, 1, Band(20_000_000, 20_000_000)),
    ],
)
def test_what_a_count_tells(matched, minimum, band, told):
    assert permitted_band(Disclosure.COUNT, matched, AggregateTerms(minimum, band)) == told


@pytest.mark.parametrize("matched", [3, 4, 1_000])
def test_a_sum_tells_no_count(matched):
    """Whatever reaches the minimum lets the same through."""
    assert permitted_band(Disclosure.SUM, matched, AggregateTerms(3, 1)) == Band(0, 0)
    assert permitted_band(Disclosure.SUM, 2, AggregateTerms(3, 1)) is None


def _check(said, context=COUNT, terms=(5, 10), most=40):
    terms = AggregateTerms(*terms)
    signed = sign(COUNCIL, OUTCOME_TYPE, said.payload(OutcomeContext(context, terms)))
    return AggregateOutcome.check(signed, COUNCIL.public, context, terms, most=most)


@pytest.mark.parametrize("band", [Band(5, 9), Band(10, 19), Band(40, 49)])
def test_an_honest_count_is_taken(band):
    assert _check(AggregateOutcome(disclosed=True, band=band)).band == band


@pytest.mark.parametrize(
    "said",
    [
        AggregateOutcome(disclosed=True, band=Band(0, 9)),  # below the minimum
        AggregateOutcome(disclosed=True, band=Band(4, 9)),
        AggregateOutcome(disclosed=True, band=Band(10, 10)),  # finer than the band
        AggregateOutcome(disclosed=True, band=Band(11, 20)),
        AggregateOutcome(disclosed=True, band=Band(50, 59)),  # more than there are records
        AggregateOutcome(disclosed=True),
        AggregateOutcome(disclosed=False, band=Band(0, 4)),  # says more than that it is withheld
        AggregateOutcome(disclosed=True, band=Band(10, 19), left=POINT),
        AggregateOutcome(disclosed=True, band=Band(10, 19), share=POINT),
    ],
)
def test_a_count_that_the_terms_cannot_give_is_refused(said):
    with pytest.raises(PeerError) as caught:
        _check(said)
    assert caught.value.code is PeerCode.BAD_OUTCOME


GOOD_SUM = AggregateOutcome(disclosed=True, left=POINT, right=POINT, share=POINT)


@pytest.mark.parametrize(
    "changes", [{"left": bytes(32)}, {"right": bytes(32)}, {"share": bytes(32)}, {"band": Band(5, 9)}]
)
@pytest.mark.parametrize("told", [True, False])
def test_a_sum_that_the_terms_cannot_give_is_refused(told, changes):
    good = replace(GOOD_SUM, disclosed=told)
    assert _check(good, SUM) == good
    with pytest.raises(PeerError) as caught:
        _check(replace(good, **changes), SUM)
    assert caught.value.code is PeerCode.BAD_OUTCOME


def test_an_outcome_under_other_terms_or_of_another_hand_is_refused():
    terms = AggregateTerms(5, 10)
    payload = AggregateOutcome(disclosed=True, band=Band(10, 19)).payload(OutcomeContext(COUNT, terms))
    for signer, agreed, code in (
        (COUNCIL, AggregateTerms(4, 10), PeerCode.BAD_OUTCOME),
        (COUNCIL, AggregateTerms(5, 1), PeerCode.BAD_OUTCOME),
        (POLICE, terms, PeerCode.BAD_SIGNATURE),
    ):
        with pytest.raises(PeerError) as caught:
            AggregateOutcome.check(
                sign(signer, OUTCOME_TYPE, payload), COUNCIL.public, COUNT, agreed, most=40
            )
        assert caught.value.code is code


def test_one_outcome_more_or_less_says_the_same_within_a_band():
    """The receiver cannot tell 10 matches from 19: the sender's statement is the same but for the exchange that it names."""
    said = []
    for matches in (10, 14, 19):
        edge = AggregateEdge.count(
            [[n] for n in range(30)],
            [*range(matches), *range(100, 130 - matches)],
            minimum=5,
            band=10,
            chunk=8,
        )
        pair = edge.connect()
        assert pair.run() == Band(10, 19)
        said.append(
            AggregateOutcome.check(
                pair.receiver.session._stored_outcome(), COUNCIL.public, edge.context, edge.number, most=30
            )
        )
    assert len({(outcome.disclosed, outcome.band, outcome.left, outcome.right) for outcome in said}) == 1


def test_values_that_reach_the_limit_are_refused_before_anything_is_sent():
    most = LIMITS.sum_total
    edge = AggregateEdge.sum([1, 2, 3], [[1], [2], [3]], [most - 3, 1, 1], minimum=3)
    pair = edge.at(AggregateState.INFORMED)
    assert pair.receiver.session.state is AggregateState.INFORMED  # one below the limit runs
    with pytest.raises(LocalError, match="too large"):
        AggregateEdge.sum([1], [[1], [2], [3]], [most - 2, 1, 1]).sender()
    with pytest.raises(LocalError, match="too large"):
        AggregateEdge.sum([1], [[1]], [most // 100], band=100).sender()


@pytest.mark.parametrize(
    "changes",
    [
        {"group": 0},
        {"group": 2},
        {"copies": 0},
        {"copies": 17},
        {"values": [1, 2]},
        {"values": [-1, 2, 3]},
        {"copy_of": [0, 1, 0]},
        {"copy_of": [0]},
    ],
)
def test_what_does_not_fit_is_not_brought(changes):
    kinds = {"values": np.int64, "copy_of": np.uint8}
    made = {n: np.array(v, dtype=kinds[n]) if n in kinds else v for n, v in changes.items()}
    with pytest.raises(SequenceError):
        AggregateInputs(Rows.of([1, 2, 3]), **made)
