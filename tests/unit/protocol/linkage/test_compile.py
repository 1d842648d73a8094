import dataclasses
import random

import numpy as np
import pytest
from tests.support.token_lists import tokens

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage import (
    DUMMY,
    CompiledKeys,
    CompileTerms,
    SchemaError,
    TokenBuilder,
    compile_keys,
    default_rates,
    leads,
    level_digests,
    load_schema,
)
from blindmatch.protocol.linkage.compiled_keys import GUARD, dump, load

SCHEMA = load_schema("uk-person-company-2")
RATES = default_rates(SCHEMA)


def without(*fields, rates=RATES):
    """Rates of a list that never says these fields."""
    return dataclasses.replace(
        rates,
        presence=tuple(
            0 if level.field in fields else share
            for level, share in zip(SCHEMA.levels, rates.presence, strict=True)
        ),
    )


def sometimes(field, share, rates=RATES):
    return dataclasses.replace(
        rates,
        presence=tuple(
            share if level.field == field else p
            for level, p in zip(SCHEMA.levels, rates.presence, strict=True)
        ),
    )


PEOPLE = without("company_number", "vat_number", "company_name", "phone", "email", "bank_account", "vehicle")
MADE = compile_keys(SCHEMA, PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05))


def test_the_budget_and_the_share_of_false_leads_are_kept():
    assert 1 <= len(MADE.keys) <= 80
    assert MADE.expected_false <= 0.05 * (MADE.expected_false + MADE.expected_true)
    assert MADE.expected_true <= 0.05 * 5_000
    assert all(key.weight >= MADE.threshold for key in MADE.keys)
    few = compile_keys(SCHEMA, PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05, budget=5))
    assert len(few.keys) == 5
    assert few.recall < MADE.recall
    assert few.expected_false <= 0.05 * (few.expected_false + few.expected_true)


def test_keys_stand_by_what_they_add_and_say_it_in_words():
    gains = [key.gain for key in MADE.keys]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) == pytest.approx(MADE.recall)
    assert len({key.id for key in MADE.keys}) == len(MADE.keys)
    assert all(key.words.startswith("same ") and 0 < key.posterior < 1 for key in MADE.keys)
    assert all(key.guarded for key in MADE.keys)


def test_longer_lists_need_stricter_keys():
    longer = compile_keys(SCHEMA, PEOPLE, PEOPLE, 500_000, 500_000, CompileTerms(false_leads=0.05))
    assert longer.threshold > MADE.threshold
    assert longer.recall < MADE.recall
    assert compile_keys(SCHEMA, PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms()).threshold > MADE.threshold


def test_the_digest_stands_for_all_that_went_in():
    same = compile_keys(SCHEMA, PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05))
    assert same == MADE
    digests = {MADE.digest}
    for receiver, sender, ours, theirs, terms in (
        (PEOPLE, PEOPLE, 5_001, 5_000, CompileTerms(false_leads=0.05)),
        (PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05, overlap=0.051)),
        (PEOPLE, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05, missing=False)),
        (sometimes("town", 60, PEOPLE), PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05)),
        (PEOPLE, sometimes("town", 60, PEOPLE), 5_000, 5_000, CompileTerms(false_leads=0.05)),
    ):
        digests.add(compile_keys(SCHEMA, receiver, sender, ours, theirs, terms).digest)
    assert len(digests) == 6


def test_a_level_that_one_side_never_says_is_never_asked():
    monthly = dataclasses.replace(
        PEOPLE,
        presence=tuple(
            0 if level.name in {"full-date", "date-swapped", "year-day", "month-day"} else share
            for level, share in zip(SCHEMA.levels, PEOPLE.presence, strict=True)
        ),
    )
    made = compile_keys(SCHEMA, PEOPLE, monthly, 5_000, 5_000, CompileTerms(false_leads=0.05))
    asked = {SCHEMA.levels[level].name for key in made.keys for level in key.levels}
    assert "year-month" in asked
    assert not asked & {"full-date", "date-swapped", "year-day", "month-day"}


def test_missing_fields_make_keys_only_where_they_are_missing_and_allowed():
    gaps = sometimes("date_of_birth", 44, PEOPLE)
    made = compile_keys(SCHEMA, gaps, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05))
    assert any(key.absent_receiver for key in made.keys)
    assert not any(key.absent_sender for key in made.keys)
    assert any("no date of birth on the receiver's side" in key.words for key in made.keys)
    strict = compile_keys(SCHEMA, gaps, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05, missing=False))
    assert not any(key.absent_receiver for key in strict.keys)


def test_when_no_key_is_specific_enough_the_trades_are_given():
    vague = without("postcode", "address", "town", "date_of_birth", rates=PEOPLE)
    with pytest.raises(SchemaError, match="no key is specific enough") as caught:
        compile_keys(SCHEMA, vague, vague, 2_000_000, 2_000_000, CompileTerms(overlap=0.001))
    assert "false leads beside" in caught.value.hint
    assert MADE.trades


def test_listed_keys_stand_first_where_both_sides_can_answer_them():
    made = compile_keys(SCHEMA, RATES, RATES, 1_000, 1_000, CompileTerms(false_leads=0.05))
    names = [key.name for key in made.keys]
    assert names[: len(SCHEMA.keys)] == [key.name for key in SCHEMA.keys]
    assert len(names) <= 80
    assert not any(key.guarded for key in made.keys[: len(SCHEMA.keys)])
    assert "company" not in [key.name for key in MADE.keys]


def test_terms_out_of_range_are_refused():
    for wrong in (
        {"overlap": 0},
        {"overlap": 1.5},
        {"false_leads": 0},
        {"false_leads": 1},
        {"budget": 0},
        {"budget": 255},
    ):
        with pytest.raises(SchemaError, match="must be in"):
            CompileTerms(**wrong)


JOHN = {"forenames": "John", "surname": "Smith", "date_of_birth": "1970-02-03", "postcode": "NG9 8PY"}


def make(keys, rows, role, *, distinct=False):
    columns = level_digests(SCHEMA, rows)
    return tokens(
        keys, columns, np.arange(len(rows)), len(rows), keys.tokens_per_record(), random.Random(1).randbytes,
        distinct=distinct, role=role,
    )  # fmt: skip


def test_a_key_for_a_missing_field_is_emitted_only_by_the_side_that_lacks_it():
    gaps = sometimes("date_of_birth", 44, PEOPLE)
    made = compile_keys(SCHEMA, gaps, PEOPLE, 5_000, 5_000, CompileTerms(false_leads=0.05))
    dateless = {i for i, key in enumerate(made.keys) if key.absent_receiver}
    undated = {name: text for name, text in JOHN.items() if name != "date_of_birth"}
    full, bare = make(made, [JOHN], "receiver"), make(made, [undated], "receiver")
    other = make(made, [JOHN], "sender")
    assert not dateless & set(full.key_index.tolist())
    assert dateless & set(bare.key_index.tolist())
    assert dateless & set(other.key_index.tolist())
    with pytest.raises(SequenceError, match="role of this side"):
        make(made, [JOHN], None)
    assert len(full.tokens) == len(bare.tokens) == made.tokens_per_record()


def test_common_values_are_withheld_and_listed_keys_are_not():
    rows = [JOHN | {"company_number": "1"}] * (GUARD + 1)
    made = compile_keys(SCHEMA, RATES, RATES, 1_000, 1_000, CompileTerms(false_leads=0.05))
    few = make(made, rows[:GUARD], "sender")
    many = make(made, rows, "sender")
    assert any(made.keys[i].guarded for i in few.key_index if i != DUMMY)
    assert {made.keys[i].name for i in many.key_index if i != DUMMY} == {"company"}


def test_one_person_with_several_records_is_not_common():
    """A director of a supplier with many contracts stands in as many records, and is still one person."""
    made = compile_keys(SCHEMA, RATES, RATES, 1_000, 1_000, CompileTerms(false_leads=0.05))
    levels = level_digests(SCHEMA, [JOHN] * (GUARD + 2))
    for entities, kept in ((None, False), (np.zeros(GUARD + 2, dtype=np.int64), True)):
        builder = TokenBuilder(
            made, GUARD + 2, made.tokens_per_record(), bytes, distinct=True, role="sender", entities=entities
        )
        builder.add(levels, np.arange(GUARD + 2), GUARD + 2)
        assert bool((builder.finish().key_index != DUMMY).any()) is kept


def test_tokens_per_record_are_bounded():
    assert MADE.tokens_per_record() == len(MADE.keys)
    assert MADE.tokens_per_record(rows=100) == LIMITS.tokens_per_record


def test_leads_carry_a_posterior_and_the_strongest_key_first():
    made = make(MADE, [JOHN], "receiver")
    found = leads(MADE, made, np.flatnonzero(made.key_index != DUMMY))
    assert len(found) == 1
    weights = [key.weight for key in found[0].keys]
    assert weights == sorted(weights, reverse=True)
    assert found[0].score == weights[0]
    assert found[0].posterior == max(key.posterior for key in found[0].keys)
    assert isinstance(MADE, CompiledKeys)


def test_an_identifier_is_a_key_in_lists_of_any_size():
    """One number in ten thousand million meets another by a slip: many such pairs, and yet few beside the true ones."""
    numbers = without(*{level.field for level in SCHEMA.levels} - {"company_number"})
    for size in (100, 80_000, 5_000_000):
        made = compile_keys(SCHEMA, numbers, numbers, size, size)
        assert [key.name for key in made.keys] == ["company"]
        assert made.recall == 0.0


def test_a_weak_listed_key_is_left_out_where_it_finds_many_strangers():
    small, large = (
        compile_keys(SCHEMA, RATES, RATES, size, size, CompileTerms()) for size in (1_000, 5_000_000)
    )
    assert "phone+forename" in {key.name for key in small.keys}
    assert "company" in {key.name for key in large.keys}
    assert "vehicle+forename" not in {key.name for key in large.keys}


def test_compiled_keys_that_were_kept_are_the_same_again():
    made = compile_keys(SCHEMA, RATES, RATES, 1_000, 20_000, CompileTerms(0.05, 0.02, 24, True))
    assert len(made.keys) > 10
    assert load(dump(made), SCHEMA) == made
