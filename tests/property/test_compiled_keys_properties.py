"""Compiled keys find exactly the pairs over the threshold, whatever the records; minimal, monotone, the same twice."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.token_lists import tokens

from blindmatch.protocol.linkage import (
    DUMMY,
    CompiledKeys,
    CompileTerms,
    compile_keys,
    default_rates,
    level_digests,
    load_schema,
    measure,
    parse_schema,
    score_pair,
)
from blindmatch.protocol.linkage import compile as compiler
from blindmatch.protocol.linkage.comparison_states import BIT, space
from blindmatch.protocol.linkage.level_patterns import Patterns
from blindmatch.protocol.linkage.rates import Rates
from blindmatch.protocol.linkage.weights import Weights

SMALL = parse_schema("""
format = 2
name = "small"
title = "A small model"
[model]
compared = ["forenames", "date_of_birth", "surname", "postcode"]
household = ["surname", "postcode"]
person = ["forenames", "date_of_birth"]
missing = ["forenames", "date_of_birth", "surname", "postcode"]
names = ["forenames", "surname"]
swapped = "either-way"
swapped_m = 0.02
along = 0.5
relatives = 0.5
home = ["surname"]
""" + "".join(f'[[fields]]\nname = "{name}"\nkind = "{kind}"\ntitle = "{name}"\n' for name, kind in (
    ("forenames", "forenames"), ("date_of_birth", "date"), ("surname", "surname"), ("postcode", "postcode"),
    ("company_number", "company-number"),
)) + "".join(
    f'[[levels]]\nname = "{name}"\nfield = "{field}"\ntest = "{test}"\nwords = "{name}"\nm = {m}\nu = {u}\n{more}\n'
    for name, field, test, m, u, more in (
        ("given", "forenames", "first-word", 0.6, 0.008, 'implies = ["given-sound", "given-initial"]'),
        ("given-sound", "forenames", "metaphone", 0.1, 0.006, ""),
        ("given-initial", "forenames", "initial", 0.1, 0.05, ""),
        ("full-date", "date_of_birth", "full-date", 0.8, 0.00005, 'implies = ["year-month"]'),
        ("year-month", "date_of_birth", "year-month", 0.1, 0.001, ""),
        ("surname", "surname", "exact", 0.8, 0.001, 'implies = ["surname-3"]'),
        ("surname-3", "surname", "first3", 0.1, 0.004, ""),
        ("postcode", "postcode", "full", 0.7, 0.0001, 'implies = ["district"]'),
        ("district", "postcode", "district", 0.15, 0.02, ""),
        ("either-way", "forenames", "either-way", 0.9, 0.00001, 'other = "surname"'),
        ("company-number", "company_number", "exact", 0.98, 0.0000000001, ""),
    )
) + '[[keys]]\nname = "company"\nlevels = ["company-number"]\n')  # fmt: skip
SCHEMAS = [SMALL, load_schema("uk-person-company-2")]

RECORD = st.fixed_dictionaries(
    {},
    optional={
        "forenames": st.sampled_from(["John", "Jon", "JOHN Paul", "Ján", "J", "Smith", "Ирина", ""]),
        "surname": st.sampled_from(["Smith", "Smyth", "Smithson", "John", "O'Brien", "Ирина", "李", ""]),
        "date_of_birth": st.sampled_from(
            ["1970-02-03", "1970-03-02", "3/2/1970", "1970-02", "1970-02-09", "1971-02-03", "1970", ""]
        ),
        "postcode": st.sampled_from(["NG9 8PY", "ng98py", "NG9 1AA", "ng9", "S1 1AA", ""]),
    },
)
LISTS = st.lists(RECORD, max_size=5)


def patterns_of(schema, *, missing=True):
    rates = default_rates(schema)
    return Patterns(Weights(space(schema), rates, rates), missing=missing)


PATTERNS = {schema.name: patterns_of(schema) for schema in SCHEMAS}


def digests(schema, records):
    return level_digests(schema, records), np.arange(len(records))


def every_key(schema, patterns, threshold):
    """All minimal patterns as keys: what a budget without bounds would keep."""
    search = compiler._Search(patterns.weights, (10, 10), CompileTerms(), budget=1, seed=b"")
    keys = tuple(
        compiler._key(schema, patterns.weights, pattern, 0, search) for pattern in patterns.at(threshold)
    )
    return CompiledKeys(schema, keys, bytes(32))


KEYS = {bits: every_key(SMALL, PATTERNS["small"], int(bits * BIT)) for bits in (6, 12, 20)}


@pytest.mark.parametrize("bits", sorted(KEYS))
@settings(deadline=None, max_examples=60)
@given(left=LISTS, right=LISTS)
def test_tokens_find_exactly_the_pairs_over_the_threshold(bits, left, right):
    keys = KEYS[bits]
    sides = []
    for records, role in ((left, "receiver"), (right, "sender")):
        unique = list({repr(sorted(record.items())): record for record in records}.values())
        columns, owners = digests(SMALL, unique)
        # One record at a time: the guard against common values is another test's business.
        sides.append((
            columns,
            [
                tokens(keys, columns[i : i + 1], owners[:1], 1, 128, random.Random(i).randbytes, distinct=False, role=role)
                for i in range(len(unique))
            ],
        ))  # fmt: skip
    (ours, our_tokens), (theirs, their_tokens) = sides
    for i, j in itertools.product(range(len(ours)), range(len(theirs))):
        assert our_tokens[i].overflow == their_tokens[j].overflow == 0
        mine, other = (
            {t.tobytes() for t in made.tokens[made.key_index != DUMMY]}
            for made in (our_tokens[i], their_tokens[j])
        )
        score = score_pair(PATTERNS["small"], ours[i], theirs[j])
        assert bool(mine & other) == (score is not None and score.bits >= bits)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
@settings(deadline=None, max_examples=25)
@given(row=RECORD, other=RECORD)
def test_a_level_that_agrees_brings_along_all_that_it_implies(schema, row, other):
    pair = level_digests(schema, [row, other])
    agreed = (pair[0] == pair[1]).all(axis=1) & pair[0].any(axis=1)
    for i, level in enumerate(schema.levels):
        if agreed[i]:
            assert all(agreed[schema.level_index(name)] for name in level.implies), level.name
        for first, second in level.both:
            if agreed[schema.level_index(first)] and agreed[schema.level_index(second)]:
                assert agreed[i], level.name


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
@pytest.mark.parametrize("bits", [8, 14, 20])
def test_no_pattern_is_implied_by_another_of_its_kind(schema, bits):
    dimensions = space(schema).dimensions
    found = list(PATTERNS[schema.name].at(bits * BIT))
    kinds = {}
    for pattern in found:
        assert pattern.score >= bits * BIT
        kinds.setdefault((pattern.missing, pattern.swapped), set()).add(pattern.demands)
    for group in kinds.values():
        for demands in group:
            weaker = itertools.product(*(
                [j for j in range(len(d.levels) + 1) if j == demand or d.implies(demand, j)]
                for d, demand in zip(dimensions, demands, strict=True)
            ))  # fmt: skip
            assert [other for other in weaker if other in group] == [demands]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_pattern_asks_a_person_and_names_what_it_asks(schema):
    people = [i for i, d in enumerate(space(schema).dimensions) if d.name in schema.model.person]
    for pattern in PATTERNS[schema.name].at(14 * BIT):
        assert any(pattern.demands[i] < len(space(schema).dimensions[i].levels) for i in people)
        assert not pattern.missing.fields & {
            i for i, d in enumerate(pattern.demands) if d < len(space(schema).dimensions[i].levels)
        }
        assert len(pattern.missing.receiver) + len(pattern.missing.sender) <= 2


@settings(deadline=None, max_examples=40)
@given(row=RECORD, other=RECORD, name=st.sampled_from(["forenames", "surname", "date_of_birth", "postcode"]))
def test_agreeing_on_more_never_lowers_a_score(row, other, name):
    if not (row.get(name) and other.get(name)):
        return
    # Both rows say the field before and after, so that what is missing stays the same.
    before = level_digests(SMALL, [row, other])
    after = level_digests(SMALL, [row, other | {name: row[name]}])
    if (before.any(axis=2) != after.any(axis=2)).any():
        return
    low, high = (score_pair(PATTERNS["small"], *pair) for pair in (before, after))
    # Names in either order are another reading, which a changed name can take away.
    if low is None or low.swapped:
        return
    assert high is not None
    assert high.bits >= low.bits


@settings(deadline=None, max_examples=10)
@given(st.lists(RECORD, min_size=1, max_size=12), st.integers(1, 5_000), st.integers(1, 5_000))
def test_both_sides_compile_the_same_bytes(records, ours, theirs):
    columns, owners = digests(SMALL, records)
    rates = measure(SMALL, [(columns, owners, len(records))], seed=b"a")
    again = Rates.decode(rates.encode(), SMALL)
    assert again == rates
    terms = CompileTerms(false_leads=0.5)
    made = []
    for each in (rates, again):
        try:
            made.append(compile_keys(SMALL, each, default_rates(SMALL), ours, theirs, terms))
        except compiler.SchemaError as error:
            made.append(error.hint)
    if isinstance(made[0], str):
        assert made[0] == made[1]
    else:
        assert made[0] == made[1]
        assert made[0].digest == made[1].digest


@settings(deadline=None, max_examples=20)
@given(st.lists(RECORD, max_size=12), st.integers(1, 11))
def test_blocks_never_change_what_is_measured(records, size):
    columns, owners = digests(SMALL, records)
    whole = measure(SMALL, [(columns, owners, len(records))], seed=b"a")
    blocks = [
        (columns[at : at + size], np.arange(len(columns[at : at + size])), len(columns[at : at + size]))
        for at in range(0, len(records), size)
    ]
    assert measure(SMALL, blocks, seed=b"a") == whole
