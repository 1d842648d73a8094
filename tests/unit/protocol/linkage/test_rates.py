import dataclasses
import random

import numpy as np
import pytest

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.linkage import Rates, default_rates, level_digests, load_schema, measure
from blindmatch.protocol.linkage.comparison_states import ONE, log2_units, space
from blindmatch.protocol.linkage.rates import PRESENT, household_states, probability, rate_count

SCHEMA = load_schema("uk-person-company-2")
SPACE = space(SCHEMA)


def people(count, seed=1, families=0):
    """Invented people; each of the first `families` shares a surname and an address with the next."""
    draw = random.Random(seed)
    names = ["".join(draw.choice("abcdefghiklmnoprstu") for _ in range(7)) for _ in range(400)]
    rows = [
        {
            "forenames": draw.choice(names),
            "surname": draw.choice(names),
            "date_of_birth": f"{draw.randint(1940, 2000)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            "postcode": f"NG{draw.randint(1, 30)} {draw.randint(1, 9)}{draw.choice('ABDEFGH')}{draw.choice('ABDEFGH')}",
            "address": f"{draw.randint(1, 150)} {draw.choice(names)} Street",
            "town": draw.choice(names[:20]),
        }
        for _ in range(count)
    ]
    for i in range(families):
        rows[2 * i + 1] |= {k: rows[2 * i][k] for k in ("surname", "postcode", "address", "town")}
    return rows


def rates_of(rows, seed=b"seed"):
    return measure(SCHEMA, [(level_digests(SCHEMA, rows), np.arange(len(rows)), len(rows))], seed=seed)


def joint(rates, **levels):
    """The rate of one joint state of the household, by each field's state."""
    at = [d.states.index(frozenset(levels.get(d.name, ()))) for d in SPACE.household]
    place = np.ravel_multi_index(at, [len(d.states) for d in SPACE.household])
    return probability(rates.household[int(place)]) / ONE


ALL = {d.name: range(len(d.levels)) for d in SPACE.household}


def test_a_date_agrees_as_often_as_chance_says():
    rates = rates_of(people(3_000))
    dimension = next(d for d in SPACE.alone if d.name == "date_of_birth")
    codes = rates.alone[SPACE.alone.index(dimension)]
    by_best = {}
    for state, code in zip(dimension.states, codes, strict=False):
        by_best[min(state)] = by_best.get(min(state), 0) + probability(code) / ONE
    names = [level.name for level in dimension.levels]
    assert by_best[names.index("full-date")] == pytest.approx(1 / (61 * 12 * 28), rel=0.4)
    assert by_best[names.index("year-month")] == pytest.approx(1 / (61 * 12), rel=0.4)
    assert by_best[names.index("year")] == pytest.approx(1 / 61, rel=0.4)


def test_families_show_in_the_joint_rates():
    plain, related = rates_of(people(3_000)), rates_of(people(3_000, families=600))
    pairs = 3_000 * 2_999 / 2
    assert joint(related, **ALL) == pytest.approx(600 / pairs, rel=0.3)
    assert joint(plain, **ALL) < joint(related, **ALL) / 10


def test_the_same_person_twice_is_no_family():
    rows = people(2_000)
    twice = rows + [dict(row) for row in rows[:500]]
    assert joint(rates_of(twice), **ALL) == pytest.approx(joint(rates_of(rows), **ALL), rel=0.5)


def test_presence_counts_records_that_say_a_level():
    rows = people(100)
    for row in rows[:50]:
        del row["date_of_birth"]
    for row in rows[50:75]:
        row["date_of_birth"] = row["date_of_birth"][:7]
    rates = rates_of(rows)
    assert rates.presence[SCHEMA.level_index("year-month")] == PRESENT // 2
    assert rates.presence[SCHEMA.level_index("full-date")] == PRESENT // 4
    assert rates.presence[SCHEMA.level_index("surname")] == PRESENT
    assert rates.presence[SCHEMA.level_index("company-number")] == 0


def test_a_short_list_says_what_the_schema_says():
    assert rates_of(people(3)).household == default_rates(SCHEMA).household
    assert measure(SCHEMA, [], seed=b"").alone == default_rates(SCHEMA).alone


def test_rates_are_one_byte_each_and_come_back():
    rates = rates_of(people(300))
    data = rates.encode()
    assert len(data) == 1 + rate_count(SCHEMA)
    assert (
        rate_count(SCHEMA) == len(SCHEMA.levels) + sum(map(len, rates.alone)) + household_states(SCHEMA) - 1
    )
    assert Rates.decode(data, SCHEMA) == rates
    assert Rates.decode(default_rates(SCHEMA).encode(), SCHEMA) == default_rates(SCHEMA)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.encode()[:-1], "form"),
        (lambda r: r.encode() + b"\0", "form"),
        (lambda r: b"\7" + r.encode()[1:], "form"),
        (lambda _: b"", "form"),
        (lambda r: dataclasses.replace(r, presence=(65, *r.presence[1:])).encode(), "over 100 %"),
        (lambda r: dataclasses.replace(r, household=(0,) * len(r.household)).encode(), "more than 1"),
        (
            lambda r: dataclasses.replace(r, alone=((255,) * len(r.alone[0]), *r.alone[1:])).encode(),
            "too few people",
        ),
        (
            lambda r: dataclasses.replace(
                r, presence=tuple(0 if x.name == "year" else 64 for x in SCHEMA.levels)
            ).encode(),
            "is part of it",
        ),
    ],
)
def test_rates_that_no_honest_list_has_are_refused(change, says):
    with pytest.raises(PeerError, match=says) as caught:
        Rates.decode(change(default_rates(SCHEMA)), SCHEMA)
    assert caught.value.code is PeerCode.BAD_MESSAGE


def test_a_block_of_another_shape_is_refused():
    columns = level_digests(SCHEMA, people(2))
    with pytest.raises(SequenceError, match="shape"):
        measure(SCHEMA, [(columns[:, :3], np.arange(2), 2)], seed=b"")
    with pytest.raises(SequenceError, match="shape"):
        measure(SCHEMA, [(columns, np.arange(1), 2)], seed=b"")


def test_codes_and_logarithms_are_exact():
    assert [probability(8 * bits) for bits in (0, 1, 10, 31)] == [ONE >> bits for bits in (0, 1, 10, 31)]
    assert probability(4) == pytest.approx(ONE / 2**0.5, rel=1e-9)
    assert log2_units(1 << 70, 1 << 60) == 640
    assert log2_units(3, 1) == 101  # 64 log2 3 = 101.4
    assert log2_units(0, 0) == 0


def test_impossible_states_do_not_exist():
    dates = next(d for d in SPACE.alone if d.name == "date_of_birth")
    names = {frozenset(dates.levels[i].name for i in state) for state in dates.states}
    assert {"year-month", "year-day", "year"} not in names
    assert frozenset({"year-month", "year"}) in names
    assert dates.states[-1] == frozenset()
    for dimension in SPACE.dimensions:
        assert sum(dimension.m) == sum(dimension.default_u) == ONE


def test_people_are_counted_not_records():
    rows = people(1_500)
    again = [dict(row) for row in rows[:300] for _ in range(4)]
    offices = [
        {"company_number": f"{i + 1:08}", "postcode": "NG1 1AA", "town": "nowhere"} for i in range(900)
    ]
    owners = [*range(1_500), *(i for i in range(300) for _ in range(4)), *range(5_000, 5_900)]

    def rates(every, entities):
        columns = level_digests(SCHEMA, every)
        blocks = [(columns, np.arange(len(every)), len(every))]
        return measure(SCHEMA, blocks, seed=b"seed", entities=np.array(entities))

    alone, crowd = rates(rows, range(1_500)), rates([*rows, *again, *offices], owners)
    compared = [i for i, level in enumerate(SCHEMA.levels) if level.field in SCHEMA.model.compared]
    assert [crowd.presence[i] for i in compared] == [alone.presence[i] for i in compared]
    number = SCHEMA.level_index("company-number")
    assert alone.presence[number] == 0
    assert crowd.presence[number] == round(PRESENT * 900 / 2_400)
    # Not one number differs: neither who is repeated nor what companies share is told.
    assert (crowd.alone, crowd.household) == (alone.alone, alone.household)
