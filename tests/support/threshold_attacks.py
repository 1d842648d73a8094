"""What tests of dishonest threshold parties share: one small threshold, and the check of a refusal."""

import numpy as np
import pytest
from tests.support.hits_sessions import Rows as Elements
from tests.support.threshold_sessions import NAMES, Circle

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.threshold import ThresholdState

A, B, C = NAMES[:3]


CIRCLE = Circle(
    ((1, 2, 3, 4, 5), (3, 4, 9, 10), (5, 4, 8)), 2, limits=Limits(chunk_elements=4, chunk_tag_bytes=1 << 10)
)


def member(ring, place):
    return ring.members[place].session


def refused(code, call, session=None):
    with pytest.raises(PeerError) as error:
        call()
    assert error.value.code is code
    if session is not None:
        assert session.state is ThresholdState.FAILED


def guesses(count=4):
    """What a collector would like to have evaluated: blinded guesses of its own."""
    blinds = group.scalars_from_uniform(np.arange(count * 64, dtype=np.uint8).reshape(count, 64))
    return oprf.blind_inputs(Elements.of(range(count)).rows, blinds, Mode.OPRF)
