"""Facts: chosen, compact, padded, and read back strictly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.facts import Facts, pack, unpack
from blindmatch.protocol.linkage import DUMMY, Tokens

TEXTS = st.dictionaries(st.sampled_from(["value", "role", "since"]), st.text(max_size=60), max_size=3)


@given(st.lists(TEXTS, max_size=6), st.integers(1, 512))
def test_the_size_never_depends_on_the_content(records, size):
    assert len(pack(records, ("value", "role"), size)) == size


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_only_the_agreed_facts_travel_and_all_of_them_when_they_fit(records):
    agreed, more = unpack(pack(records, ("value", "role"), 5_000))
    assert agreed == [{k: r[k] for k in ("value", "role") if r.get(k)} for r in records]
    assert more == 0


def test_records_that_do_not_fit_are_counted():
    records = [{"value": str(n) * 20} for n in range(5)]
    agreed, more = unpack(pack(records, ("value",), 100))
    assert agreed == records[: len(agreed)]
    assert len(agreed) >= 1
    assert len(agreed) + more == 5


def test_a_record_too_wide_loses_its_last_facts_and_says_so():
    packed = pack([{"value": "1", "role": "x" * 200}], ("value", "role"), 64)
    assert json.loads(packed.rstrip(b"\0")) == {"records": [{"value": "1"}], "cut": 1}
    assert unpack(packed) == ([{"value": "1"}], 0)


def test_a_size_too_small_for_anything_gives_zeros():
    assert pack([{"value": "1"}], ("value",), 4) == bytes(4)
    assert unpack(bytes(4)) == ([], 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"[]",
        b'{"records": 1}',
        b'{"records": [1]}',
        b'{"records": [{"a": 1}]}',
        b'{"records": [], "more": "2"}',
        b"\xff\xfe",
        b"[" * 5_000,
    ],
)
def test_what_the_other_side_made_up_is_refused(payload):
    with pytest.raises(PeerError) as refused:
        unpack(payload)
    assert refused.value.code is PeerCode.BAD_TAGS


def test_every_holder_of_a_shared_token_is_heard_and_fillers_say_nothing():
    tokens = Tokens(
        tokens=np.zeros((4, 32), dtype=np.uint8),
        key_index=np.array([0, DUMMY, DUMMY, 0], dtype=np.uint8),
        records=2,
        tokens_per_record=2,
        overflow=0,
        shared_records={0: np.array([0, 1])},
    )
    facts = Facts(tokens, lambda record: {"value": f"v{record}"}, ("value",), 128)
    taken = facts.take(np.array([3, 1, 0]))
    assert unpack(taken[0].tobytes()) == ([{"value": "v1"}], 0)
    assert not taken[1].any()
    assert unpack(taken[2].tobytes()) == ([{"value": "v0"}, {"value": "v1"}], 0)
