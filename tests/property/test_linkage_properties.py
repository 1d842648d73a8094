"""Whatever the text: canonical forms are stable, tokens match exactly when their levels are equal, blocks do not matter."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.exact_keys import exact_keys
from tests.support.token_lists import tokens

from blindmatch.protocol.linkage import DUMMY, Elements, TokenBuilder, leads, level_digests
from blindmatch.protocol.linkage.levels import FIELD_KINDS, GAP, LEVEL_TESTS
from blindmatch.protocol.linkage.normalise import split_full_name

KEYS = exact_keys()
SCHEMA = KEYS.schema

# Few values, so that records do agree, and awkward spellings of the same ones.
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "forenames": st.sampled_from(["John", "JOHN Paul", "Jón", "Ann", "J", "", "Mr"]),
        "surname": st.sampled_from(["Smith", "smith", "O'Brien", "OBRIEN", "Jones", ""]),
        "date_of_birth": st.sampled_from(["1970-02-03", "3/2/1970", "1970-02", "1971-02-03", "1970", ""]),
        "postcode": st.sampled_from(["NG9 8PY", "ng9", "S1 1AA", ""]),
        "company_number": st.sampled_from(["1", "00000001", "SC1", ""]),
    },
)
LISTS = st.lists(st.lists(RECORD, max_size=3), max_size=6)


def flat(records):
    rows = [row for record in records for row in record]
    owners = np.array([i for i, record in enumerate(records) for _ in record], dtype=np.int64)
    return level_digests(SCHEMA, rows), owners


def make(records, per_record=16, *, distinct=False):
    columns, owners = flat(records)
    filler = random.Random(len(records)).randbytes
    return tokens(KEYS, columns, owners, len(records), per_record, filler, distinct=distinct)


def level_texts(row):
    kinds = {field.name: field.kind for field in SCHEMA.fields}
    canonical = {name: FIELD_KINDS[kind](row.get(name, "")) for name, kind in kinds.items()}
    texts = []
    for level in SCHEMA.levels:
        pieces = [canonical[name] for name in (level.field, level.other) if name]
        texts.append(LEVEL_TESTS[kinds[level.field]][level.test](GAP.join(pieces)) if all(pieces) else "")
    return texts


def patterns(record):
    """What a record can be found by, in plain text: the reference that the tokens must equal."""
    found = set()
    for row in record:
        texts = level_texts(row)
        for key in KEYS.keys:
            if all(texts[level] for level in key.levels):
                found.add((key.name, *(texts[level] for level in key.levels)))
    return found


@given(st.sampled_from(sorted(FIELD_KINDS)), st.text(max_size=30))
def test_canonical_text_is_stable_ascii_or_refused_with_a_reason_that_does_not_repeat_it(kind, text):
    try:
        canonical = FIELD_KINDS[kind](text)
    except ValueError as error:
        reason = str(error)
    else:
        reason = ""
    if reason:
        assert len(text) < 4 or text not in reason
        return
    assert canonical.isascii()
    assert FIELD_KINDS[kind](canonical) == canonical
    for test in LEVEL_TESTS[kind].values():
        assert isinstance(test(canonical), str)


@given(st.text(max_size=40))
def test_a_whole_name_splits_into_canonical_parts(text):
    given_names, family = split_full_name(text)
    assert FIELD_KINDS["forenames"](given_names) == given_names
    assert " " not in family


@given(LISTS, LISTS)
def test_records_share_a_token_exactly_when_they_share_a_pattern(left, right):
    ours, theirs = make(left), make(right, distinct=True)
    assert ours.overflow == theirs.overflow == 0
    table = {
        token.tobytes() for token, key in zip(theirs.tokens, theirs.key_index, strict=True) if key != DUMMY
    }
    hits = [i for i, token in enumerate(ours.tokens) if token.tobytes() in table]
    wanted = set().union(*map(patterns, right))
    assert {lead.record for lead in leads(KEYS, ours, hits)} == {
        i for i, record in enumerate(left) if patterns(record) & wanted
    }


@given(LISTS, st.integers(1, 5))
def test_every_record_has_as_many_tokens_as_any_other_and_none_is_lost_uncounted(records, per_record):
    made = make(records, per_record)
    assert len(made.tokens) == len(made.key_index) == len(records) * per_record
    counts = [len(patterns(record)) for record in records]
    assert made.overflow == sum(max(0, count - per_record) for count in counts)
    for i, count in enumerate(counts):
        kept = made.key_index[i * per_record : (i + 1) * per_record]
        assert np.count_nonzero(kept != DUMMY) == min(count, per_record)
        assert kept.tolist() == sorted(kept.tolist())


@given(LISTS)
def test_a_senders_elements_are_distinct_and_lose_no_holder(records):
    made = make(records, distinct=True)
    elements = Elements(KEYS, made)
    taken = elements.take(np.arange(len(elements)))
    assert len({row.tobytes() for row in taken}) == len(elements)
    held: dict[int, set[int]] = {}
    for element in np.flatnonzero(made.key_index != DUMMY).tolist():
        for record in made.records_of(element).tolist():
            held.setdefault(record, set()).add(element)
    assert {i: len(found) for i, found in held.items()} == {
        i: len(patterns(record)) for i, record in enumerate(records) if patterns(record)
    }


@given(LISTS, st.data())
def test_blocks_never_change_a_result(records, data):
    whole = make(records, distinct=True)
    builder = TokenBuilder(KEYS, len(records), 16, random.Random(len(records)).randbytes, distinct=True)
    start = 0
    while start < len(records):
        stop = data.draw(st.integers(start + 1, len(records)))
        columns, owners = flat(records[start:stop])
        builder.add(columns, owners, stop - start)
        start = stop
    pieces = builder.finish()
    assert np.array_equal(whole.tokens, pieces.tokens)
    assert np.array_equal(whole.key_index, pieces.key_index)
    assert {k: v.tolist() for k, v in whole.shared_records.items()} == {
        k: v.tolist() for k, v in pieces.shared_records.items()
    }
