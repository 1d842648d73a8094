"""What tests of dishonest threshold parties share: one small threshold, and the check of a refusal."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.hits_sessions import Rows as Elements
from tests.support.threshold_sessions import NAMES, ThresholdInputs, ThresholdSessions

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.threshold.collector import Collector
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.threshold.transitions import ThresholdState

A, B, C = NAMES[:3]


INPUTS = ThresholdInputs(
    ((1, 2, 3, 4, 5), (3, 4, 9, 10), (5, 4, 8)), 2, limits=Limits(chunk_elements=4, chunk_tag_bytes=1 << 10)
)


def member(sessions: ThresholdSessions, place: int) -> Member:
    """A member's session."""
    return sessions.members[place].session


def refused(code: PeerCode, call: Callable[[], object], session: Collector | Member | None = None) -> None:
    """A call is refused with this code, and the session has failed."""
    with pytest.raises(PeerError) as error:
        call()
    assert error.value.code is code
    if session is not None:
        assert session.state is ThresholdState.FAILED


def guesses(count: int = 4) -> group.Bytes2D:
    """Blinded guesses of a dishonest collector, which it would like to have evaluated."""
    blinds = group.scalars_from_uniform(np.arange(count * 64, dtype=np.uint8).reshape(count, 64))
    return oprf.blind_inputs(Elements.of(range(count)).rows, blinds, Mode.OPRF)
