import re

import pytest

from blindmatch.protocol.linkage.schema import SchemaError, load_schema, parse_schema, schema_names

SMALL = """
format = 2
name = "small"
title = "A small schema"
[model]
compared = ["surname", "postcode"]
household = ["postcode"]
person = ["surname"]
missing = []
names = ["surname", "postcode"]
swapped = ""
swapped_m = 0.01
along = 0.5
relatives = 0.5
home = ["postcode"]
[[fields]]
name = "surname"
kind = "surname"
title = "surname"
[[fields]]
name = "postcode"
kind = "postcode"
title = "postcode"
[[levels]]
name = "surname"
field = "surname"
test = "exact"
words = "surname"
m = 0.9
u = 0.01
[[levels]]
name = "postcode"
field = "postcode"
test = "full"
words = "postcode"
m = 0.5
u = 0.001
[[keys]]
name = "name"
levels = ["surname"]
"""


def test_the_schema_of_the_product_has_a_model_and_lists_what_needs_none():
    schema = load_schema("uk-person-company-2")
    assert schema.model.person == ("forenames", "date_of_birth")
    assert {key.name: key.levels for key in schema.keys}["company"] == ("company-number",)
    assert schema_names() == ("uk-person-company-2",)


def test_the_digest_ignores_layout_and_titles_but_nothing_else():
    schema = parse_schema(SMALL)
    assert len(schema.digest) == 32
    spaced = "# a remark\n" + SMALL.replace("m = 0.9", "m   =   0.90")
    assert parse_schema(spaced).digest == schema.digest
    assert parse_schema(SMALL.replace("A small schema", "Another title")).digest == schema.digest
    assert parse_schema(SMALL.replace('words = "surname"', 'words = "family name"')).digest == schema.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "small"', 'name = "other"'),
        ("along = 0.5", "along = 0.6"),
        ("m = 0.9", "m = 0.8"),
        ("u = 0.01", "u = 0.02"),
        ('name = "name"', 'name = "names"'),
    ],
)
def test_the_digest_changes_with_what_changes_a_result(old, new):
    assert parse_schema(SMALL.replace(old, new)).digest != parse_schema(SMALL).digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 2", "format = 3", "format"),
        ('title = "A small schema"', "", "lacks the entry 'title'"),
        ("along = 0.5", "along = 0.5\nextra = 1", "unknown entries: extra"),
        ("m = 0.9", "m = 0.9\nextra = 1", "unknown entries: extra"),
        ("along = 0.5", "along = 1.5", "probabilities"),
        ("along = 0.5", "along = nan", "probabilities"),
        ("along = 0.5", 'along = "much"', "wrong type"),
        ("along = 0.5", "along = [", "not TOML"),
        ("[model]", "[modal]", "unknown entries: modal"),
        ('kind = "surname"', 'kind = "colour"', "unknown kind colour"),
        ('test = "exact"', 'test = "soundex"', "unknown test soundex"),
        ('field = "surname"', 'field = "forename"', "unknown field forename"),
        ("u = 0.01", "u = 1.0", "m and u between 0 and 1"),
        ('levels = ["surname"]', 'levels = ["forename"]', "an unknown level"),
        ('levels = ["surname"]', "levels = []", "has no levels"),
        ('levels = ["surname"]', 'levels = ["surname", "surname"]', "a repeated level"),
        (
            'levels = ["surname"]',
            'levels = ["surname"]\n[[keys]]\nname="name"\nlevels=["surname"]',
            "two keys share",
        ),
        ('name = "name"', f'name = "{"x" * 65}"', "over 64 bytes"),
        ('[[keys]]\nname = "name"\nlevels = ["surname"]', "keys = []", "1 to 254 keys"),
        ('[[keys]]\nname = "name"\nlevels = ["surname"]', "keys = [1]", "wrong type"),
    ],
)
def test_a_schema_that_does_not_fit_says_why(old, new, says):
    assert SMALL.count(old) >= 1
    changed = SMALL.replace(old, new, 1) if "keys" not in old else SMALL.replace(old, new)
    if "keys = " in new:  # a plain entry must stand before the first table
        changed = new + "\n" + SMALL.replace(old, "")
    with pytest.raises(SchemaError, match=re.escape(says)):
        parse_schema(changed)


def test_an_unknown_schema_names_the_known_ones():
    with pytest.raises(SchemaError) as caught:
        load_schema("uk-person-company-99")
    assert "uk-person-company-2" in caught.value.hint
    with pytest.raises(SchemaError):
        load_schema("../schemas/uk-person-company-2")
