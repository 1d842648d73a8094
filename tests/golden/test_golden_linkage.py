"""Linkage keeps the schema, the rates, the compiled keys, tokens, elements, withheld tokens and scores of a fixed pair of lists.

What each text gives at each level is frozen in `tests/fixtures/linkage/level-digests.json`.
"""

import hashlib
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from tests.support.token_lists import tokens

from blindmatch.node.rounds.aggregate.inputs import prepare_inputs
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Count, Edge, Side, Sum
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage import (
    CompileTerms,
    Elements,
    Rates,
    compile_keys,
    default_rates,
    in_memory,
    leads,
    level_digests,
    load_schema,
    measure,
    pooled_rates,
    pooled_sizes,
    schema_names,
    score_pair,
)
from blindmatch.protocol.linkage.comparison_states import space
from blindmatch.protocol.linkage.compiled_keys import dump, load
from blindmatch.protocol.linkage.level_patterns import Patterns
from blindmatch.protocol.linkage.normalise import NORMALISATION
from blindmatch.protocol.linkage.weights import Weights

SCHEMA = load_schema("uk-person-company-2")
FORENAMES = ("John", "Ann Mary", "Muhammad", "Siobhán", "J", "Katarzyna", "Oluwaseun")
SURNAMES = ("Smith", "O'Brien", "Ahmed", "Nowak", "Smyth-Jones", "van der Berg")
POSTCODES = ("NG9 8PY", "AB1 2CD", "ls1 4ap", "")


def person(number):
    year, month, day = 1950 + number % 50, 1 + number % 12, 1 + number % 28
    return {
        "forenames": FORENAMES[number % len(FORENAMES)],
        "surname": SURNAMES[number % len(SURNAMES)],
        "date_of_birth": "" if number % 11 == 0 else f"{year}-{month:02}-{day:02}",
        "postcode": POSTCODES[number % len(POSTCODES)],
        "company_number": f"{10_000_000 + number:08}" if number % 3 == 0 else "",
    }


OURS = [person(number) for number in range(40)]
THEIRS = [person(number) for number in range(25, 60)] + [person(30)]


def columns_of(people):
    return level_digests(SCHEMA, people)


def filler(seed):
    """Bytes as a node draws them at random, out of a fixed seed instead."""
    numbers = itertools.count()
    return lambda size: hashlib.shake_256(b"%s/%d" % (seed, next(numbers))).digest(size)


def rates_of(people, seed):
    columns = columns_of(people)
    return measure(SCHEMA, [(columns, np.arange(len(people)), len(people))], seed=seed)


@pytest.fixture(scope="module")
def compiled():
    return compile_keys(
        SCHEMA,
        rates_of(OURS, b"ours"),
        rates_of(THEIRS, b"theirs"),
        len(OURS),
        len(THEIRS),
        CompileTerms(overlap=0.2, false_leads=0.05, budget=40),
    )


def test_the_schema_and_the_rates(golden):
    ours = rates_of(OURS, b"ours")
    encoded = ours.encode()
    assert Rates.decode(encoded, SCHEMA) == ours
    golden("rates", {
        "schemas": list(schema_names()),
        "schema": SCHEMA.digest,
        "normalisation": NORMALISATION,
        "levels": [level.name for level in SCHEMA.levels],
        "columns": columns_of(OURS),
        "measured": encoded,
        "measured, entities": measure(
            SCHEMA,
            [(columns_of(OURS), np.arange(40), 40)],
            seed=b"ours",
            entities=np.arange(40) // 2,
        ).encode(),
        "default": default_rates(SCHEMA).encode(),
        "pooled": pooled_rates([(ours, 40), (rates_of(THEIRS, b"theirs"), 36), (ours, 9)]).encode(),
        "pooled sizes": list(pooled_sizes([40, 36, 9])),
    })  # fmt: skip


def test_compiled_keys(golden, compiled):
    data = dump(compiled)
    assert load(data, SCHEMA) == compiled
    stored = json.loads(data)
    for key in stored["keys"]:
        del key["words"]  # English, for people
    golden("keys", {
        "digest": compiled.digest,
        "threshold": compiled.threshold,
        "expected": [compiled.expected_true, compiled.expected_false, compiled.recall],
        "stored": [*stored.items()],
        "tokens per record": [compiled.tokens_per_record(rows) for rows in (1, 2, 100)],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("role", "people", "distinct"),
    [("receiver", OURS, False), ("sender", THEIRS, True)],
    ids=["ours", "theirs"],
)
def test_tokens_and_elements(golden, compiled, role, people, distinct):
    per_record = compiled.tokens_per_record()
    made = tokens(
        compiled,
        columns_of(people),
        np.arange(len(people)),
        len(people),
        per_record,
        filler(role.encode()),
        distinct=distinct,
        role=role,
    )
    elements = Elements(compiled, made)
    golden(f"tokens of the {role}", {
        "tokens": made.tokens,
        "key index": made.key_index,
        "first elements": elements.take(np.arange(4)),
        "elements": elements.take(np.arange(len(elements))),
        "overflow": made.overflow,
        "holders": [[element, made.shared_records[element]] for element in made.shared_records],
        "leads": [
            [lead.record, [key.name for key in lead.keys], lead.score, lead.posterior, list(lead.elements)]
            for lead in leads(compiled, made, np.arange(0, len(elements), 7))
        ],
    })  # fmt: skip


class Listed:
    """As much of a collection as values are read from: two records to an entry, with one value."""

    name = "a list"

    def record(self, place):
        return SimpleNamespace(reference=f"S-{place // 2}", facts={"value": f"{100 + place // 2}.50"})


@pytest.mark.parametrize(
    ("disclosure", "role"), [("count", "receiver"), ("sum", "sender")], ids=["count", "sum"]
)
def test_groups_for_a_number(golden, compiled, disclosure, role):
    """The elements of records and of entries: copies, padding, values."""
    people = [person(number) for number in (1, 2, 3, 4, 5, 1, 2, 1)]
    columns, per_record = columns_of(people), compiled.tokens_per_record()
    made = tokens(
        compiled,
        columns,
        np.arange(len(people)),
        len(people),
        per_record,
        filler(b"groups"),
        distinct=False,
        role=role,
    )
    terms = (
        Count(minimum_count=3) if disclosure == "count" else Sum(minimum_count=3, value="value", decimals=2)
    )
    side = [Side("west-force", "subjects", 20, 40), Side("north-council", "suppliers", 20, 40)]
    edge = Edge("an-edge", *side, terms, leakage="-")
    row = EdgeRow(b"r" * 16, edge.id, b"a" * 32, role, "other", "c" * 32, "preparing", 0, seed=b"s" * 32)
    brought, report = prepare_inputs(
        SimpleNamespace(
            tokens=made,
            elements=Elements(compiled, made),
            collection=Listed(),
            selected=np.arange(len(people)),
        ),
        SimpleNamespace(compiled=compiled),
        edge,
        row,
        limits=LIMITS,
        allocate=in_memory,
    )
    golden(f"groups: {disclosure}", {
        "elements": brought.elements.take(np.arange(len(brought.elements))),
        "group": brought.group,
        "copies": brought.copies,
        "copy of": brought.copy_of,
        "values": brought.values,
        "report": report,
    })  # fmt: skip


def test_scores(golden):
    ours, theirs = columns_of(OURS), columns_of(THEIRS)
    patterns = Patterns(
        Weights(space(SCHEMA), rates_of(OURS, b"ours"), rates_of(THEIRS, b"theirs")), missing=True
    )
    pairs = [(25, 0), (30, 35), (33, 3), (0, 1), (22, 15)]
    golden("scores", {
        f"{left}, {right}": scored(score_pair(patterns, ours[left], theirs[right])) for left, right in pairs
    })  # fmt: skip


def scored(made):
    if made is None:
        return None
    parts = [[list(part.fields), list(part.levels), part.bits] for part in made.parts]
    return [made.bits, parts, made.swapped, list(made.missing_receiver), list(made.missing_sender)]
