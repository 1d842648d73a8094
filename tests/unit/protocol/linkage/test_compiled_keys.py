import random
from dataclasses import replace

import numpy as np
import pytest
from tests.support.exact_keys import exact_keys
from tests.support.token_lists import tokens

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.linkage import (
    DUMMY,
    ELEMENT_BYTES,
    Elements,
    TokenBuilder,
    level_digests,
    shared_tokens,
)

KEYS = exact_keys()
SCHEMA = KEYS.schema
NAMES = [key.name for key in KEYS.keys]
JOHN = {"forenames": "John", "surname": "Smith", "date_of_birth": "1970-02-03", "postcode": "NG9 8PY"}
JOHN_MONTH = {"forenames": "JOHN P", "surname": "smith", "date_of_birth": "02/1970"}
ANN = {"forenames": "Ann", "surname": "Jones", "date_of_birth": "1980-01-06", "company_number": "123"}


def make(rows, owners, per_record=4, *, distinct=False, seed=1):
    return tokens(
        KEYS,
        level_digests(SCHEMA, rows),
        np.array(owners, dtype=np.int64),
        max(owners, default=-1) + 1,
        per_record,
        random.Random(seed).randbytes,
        distinct=distinct,
    )


def kinds(made, record):
    """The names of a record's keys, fillers as None."""
    part = made.key_index[record * made.tokens_per_record : (record + 1) * made.tokens_per_record]
    return [None if index == DUMMY else NAMES[index] for index in part]


def real(made):
    return {made.tokens[i].tobytes() for i in np.flatnonzero(made.key_index != DUMMY)}


def test_a_record_gives_the_tokens_of_the_keys_it_can_answer():
    made = make([JOHN, JOHN_MONTH, ANN, {}], [0, 1, 2, 3])
    assert kinds(made, 0) == ["name+dob", "name+month+district", "name+month", None]
    assert kinds(made, 1) == ["name+month", None, None, None]
    assert kinds(made, 2) == ["company", "name+dob", "name+month", None]
    assert kinds(made, 3) == [None] * 4
    assert made.tokens.shape == (16, 32)
    assert made.tokens[2].tobytes() == made.tokens[4].tobytes()  # both Johns by year and month
    assert made.overflow == 0


def test_tokens_are_the_same_on_every_side_and_fillers_are_not():
    first, second = make([JOHN], [0], seed=1), make([JOHN], [0], seed=2)
    assert real(first) == real(second)
    assert first.tokens[3].tobytes() != second.tokens[3].tobytes()
    assert real(make([JOHN], [0])) & real(make([ANN], [0])) == set()


def test_rows_of_one_record_do_not_repeat_a_token():
    alias = JOHN | {"surname": "Black"}
    made = make([JOHN, JOHN | {"postcode": "NG9 1AA"}, alias, JOHN], [0, 0, 0, 0], per_record=8)
    assert sorted(name for name in kinds(made, 0) if name) == sorted(
        ["name+month+district", "name+dob", "name+month"] * 2
    )
    assert len(real(made)) == 6


def test_the_strongest_keys_stay_when_a_record_has_too_many():
    made = make([JOHN, JOHN | {"surname": "Black"}, ANN], [0, 0, 1], per_record=3)
    assert kinds(made, 0) == ["name+dob", "name+dob", "name+month+district"]
    assert kinds(made, 1) == ["company", "name+dob", "name+month"]
    assert made.overflow == 3


def test_a_token_of_several_records_is_kept_once_for_the_sender():
    rows = [JOHN, ANN, JOHN_MONTH, JOHN]
    made = make(rows, [0, 1, 2, 3], distinct=True)
    chosen = np.flatnonzero(made.key_index != DUMMY)
    assert len(real(made)) == len(chosen) == 6
    assert len({token.tobytes() for token in made.tokens}) == 16
    month = 2
    assert kinds(made, 0)[month] == "name+month"
    assert made.records_of(month).tolist() == [0, 2, 3]
    assert made.records_of(0).tolist() == [0, 3]
    assert made.records_of(4).tolist() == [1]
    assert set(made.shared_records) == {0, 1, 2}
    assert kinds(made, 3) == [None] * 4
    assert not make(rows, [0, 1, 2, 3]).shared_records


def test_blocks_give_what_one_piece_gives():
    rows = [JOHN, JOHN | {"surname": "Black"}, ANN, {}, JOHN_MONTH, JOHN]
    owners = np.array([0, 0, 1, 2, 3, 4])
    whole = make(rows, owners.tolist(), distinct=True)
    builder = TokenBuilder(KEYS, 5, 4, random.Random(1).randbytes, distinct=True)
    columns = level_digests(SCHEMA, rows)
    builder.add(columns[:3], owners[:3], 2)
    builder.add(columns[3:3], owners[3:3], 0)
    builder.add(columns[3:], owners[3:] - 2, 3)
    pieces = builder.finish()
    assert np.array_equal(whole.tokens, pieces.tokens)
    assert np.array_equal(whole.key_index, pieces.key_index)
    assert {k: v.tolist() for k, v in whole.shared_records.items()} == {
        k: v.tolist() for k, v in pieces.shared_records.items()
    }


def test_wrong_calls_are_refused():
    columns = level_digests(SCHEMA, [JOHN, ANN])
    with pytest.raises(SequenceError, match="out of bounds"):
        TokenBuilder(KEYS, 1, 0, bytes, distinct=False)
    with pytest.raises(SequenceError, match="out of bounds"):
        TokenBuilder(KEYS, -1, 1, bytes, distinct=False)
    builder = TokenBuilder(KEYS, 2, 2, bytes, distinct=False)
    with pytest.raises(SequenceError, match="only 0 of 2 records were added"):
        builder.finish()
    for owners, records in ([0], 1), ([0, 1], 3):
        with pytest.raises(SequenceError, match="shape"):
            builder.add(columns, np.array(owners), records)
    for owners in ([1, 0], [0, 2], [-1, 0]):
        with pytest.raises(SequenceError, match="order"):
            builder.add(columns, np.array(owners), 2)


def test_elements_have_one_width_and_name_schema_and_key():
    made = make([JOHN, ANN], [0, 1])
    elements = Elements(KEYS, made)
    assert len(elements) == 8
    taken = elements.take(np.array([4, 0, 7]))
    assert taken.shape == (3, ELEMENT_BYTES) == (3, 86)
    assert taken.flags.c_contiguous
    company = KEYS.keys[int(made.key_index[4])]
    assert taken[0].tobytes() == (
        b"\x00\x20" + SCHEMA.digest + b"\x00\x10" + company.id + b"\x00\x20" + made.tokens[4].tobytes()
    )
    assert taken[2].tobytes()[34:52] == b"\x00\x10" + bytes(16)
    assert elements.take(np.array([], dtype=np.int64)).shape == (0, 86)
    assert repr(elements) == "Elements(8)"


def test_no_token_shows_in_a_repr():
    assert "tokens=" not in repr(make([JOHN], [0]))


@pytest.mark.parametrize("bucket", [1, 5, 1_000])
@pytest.mark.parametrize("distinct", [False, True])
def test_buckets_never_change_what_is_shared(monkeypatch, bucket, distinct):
    guarded = replace(KEYS, keys=tuple(replace(key, guarded=True) for key in KEYS.keys))
    dice = random.Random(bucket)
    rows = [JOHN | {"forenames": dice.choice(["Ann", "Bob", "Carl", "Dan", "Eve"])} for _ in range(40)]

    def build():
        builder = TokenBuilder(
            guarded,
            40,
            4,
            random.Random(1).randbytes,
            distinct=distinct,
            entities=np.array([i // 4 for i in range(40)]),
        )
        builder.add(level_digests(SCHEMA, rows), np.arange(40), 40)
        return builder.finish(), builder.withheld

    whole, withheld = build()
    monkeypatch.setattr(shared_tokens, "BUCKET", bucket)
    monkeypatch.setattr(shared_tokens, "SCAN", 7)
    pieces, again = build()
    assert withheld == again > 0
    assert np.array_equal(whole.key_index, pieces.key_index)
    kept = whole.key_index != DUMMY
    assert np.array_equal(whole.tokens[kept], pieces.tokens[kept])
    assert {k: v.tolist() for k, v in whole.shared_records.items()} == {
        k: v.tolist() for k, v in pieces.shared_records.items()
    }


def test_equal_first_words_are_not_equal_tokens():
    builder = TokenBuilder(KEYS, 3, 2, random.Random(1).randbytes, distinct=True)
    builder.add(level_digests(SCHEMA, [JOHN, ANN, JOHN]), np.arange(3), 3)
    kept = np.array(builder._tokens)
    kept[:, :8] = 7
    builder._tokens[:] = kept
    builder._words[:] = 7
    made = builder.finish()
    assert {k: v.tolist() for k, v in made.shared_records.items()} == {0: [0, 2], 1: [0, 2]}
    assert made.key_index[4:].tolist() == [DUMMY, DUMMY]
