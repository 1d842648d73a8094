"""What a text says at each level never changes by accident: lists imported before must still meet lists imported after.

`level-digests.json` holds, for each text of a table of awkward examples, what all fields of a schema together make of it.
Whoever changes a canonical form on purpose raises `NORMALISATION` and writes the table anew:
`python tests/unit/protocol/linkage/test_levels_fixed_digests.py`.
"""

import json
from hashlib import blake2b

import pytest
from tests.support.paths import FIXTURES

from blindmatch.protocol.linkage.columns import RecordBuilder, level_digests
from blindmatch.protocol.linkage.normalise import NORMALISATION
from blindmatch.protocol.linkage.schema import load_schema

TABLE = FIXTURES / "level-digests.json"
SCHEMAS = ("uk-person-company-2",)


def fingerprint(builder, text):
    """What every field makes of a text; names have a partner, because levels read both."""
    found = blake2b(digest_size=8)
    partners = {"forenames": {"surname": "Smith"}, "surname": {"forenames": "Jane Ann"}}
    for item in builder.schema.fields:
        row = {**partners.get(item.name, {}), item.name: text}
        try:
            said = builder.array(builder.rows([row])).tobytes()
        except ValueError as error:
            said = str(error).encode()
        found.update(len(said).to_bytes(4, "big") + said)
    return found.hexdigest()


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_text_still_says_the_same(name):
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert table["normalisation"] == NORMALISATION
    builder = RecordBuilder(load_schema(name))
    place = SCHEMAS.index(name)
    changed = {text for text, found in table["texts"].items() if fingerprint(builder, text) != found[place]}
    assert len(table["texts"]) > 500
    assert not changed


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_one_by_one_and_all_at_once_say_the_same(name):
    schema = load_schema(name)
    texts = list(json.loads(TABLE.read_text(encoding="utf-8"))["texts"])[::5]
    values = []
    for item in schema.fields:
        for text in texts:
            try:
                level_digests(schema, [{item.name: text}])
            except ValueError:
                continue
            values.append(
                {item.name: text, "surname": "Smith"} if item.name == "forenames" else {item.name: text}
            )
    builder = RecordBuilder(schema)
    together = builder.array(builder.rows(values))
    for place in range(0, len(values), 29):
        assert (together[place] == level_digests(schema, [values[place]])[0]).all()


def write() -> None:
    """The table with the same texts and what they say now."""
    texts = json.loads(TABLE.read_text(encoding="utf-8"))["texts"]
    builders = [RecordBuilder(load_schema(name)) for name in SCHEMAS]
    made = {text: [fingerprint(builder, text) for builder in builders] for text in texts}
    lines = ",\n".join(f"  {json.dumps(text)}: {json.dumps(found)}" for text, found in made.items())
    TABLE.write_text(f'{{"normalisation": {NORMALISATION}, "texts": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    write()
