"""One folder per fault that an import once had: its input, and the result that is right.

`case.toml` names the input and states the expected result:

```
about = "the rule that the program broke"
file = "in.csv"
kind = "suppliers"
registers = ["psc.jsonl"]        # none by default
today = "2026-11-28"             # by the node's clock; this is the default
options = { include_ceased = true }

[expected]
error = "part of the message"    # the import is refused; nothing else is expected then
records = 2
warnings = { "part of the text" = 3 }
register = { people = 1 }
same = [["N1", "N2"]]            # records with equal level digests

[[expected.record]]              # the record with this reference and these facts
reference = "N1"
where = { role = "director" }
with = ["postcode"]              # fields that the record can be matched on
without = ["date_of_birth"]
facts = { role = "director" }
no_facts = ["resigned_on"]
```
"""

import datetime as dt
import tomllib

import pytest
from tests.support.paths import ROOT

from blindmatch.node.imports import import_collection, open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import InputError

CASES = sorted((ROOT / "tests" / "cases").glob("*/case.toml"))
TODAY = "2026-11-28"


@pytest.fixture
def node(tmp_path):
    settings = Settings(agency="east-council", name="East", role="council")
    with Node.create(tmp_path / "node", settings, "correct horse", scrypt_n=2**10, user="ann") as created:
        yield created


def imported(node, folder, case):
    today = dt.datetime.fromisoformat(case.get("today", TODAY)).replace(tzinfo=dt.UTC, hour=12)
    node.clock = today.timestamp
    return import_collection(
        node,
        "c",
        case["kind"],
        folder / case["file"],
        register=[folder / name for name in case.get("registers", ())],
        **case.get("options", {}),
    )


def fields(collection, place):
    """The fields that a record can be matched on."""
    digests = collection.columns(place, place + 1).columns
    return {level.field for i, level in enumerate(collection.schema.levels) if digests[:, i].any()}


def check_record(collection, expected):
    where = expected.get("where", {})
    places = [
        place
        for place in collection.find(expected["reference"])
        if {**collection.record(place).facts, **where} == collection.record(place).facts
    ]
    assert len(places) == 1, expected
    place = places[0]
    present, facts = fields(collection, place), collection.record(place).facts
    assert present >= set(expected.get("with", ()))
    assert present.isdisjoint(expected.get("without", ()))
    assert {**facts, **expected.get("facts", {})} == facts
    assert facts.keys().isdisjoint(expected.get("no_facts", ()))


def check_warnings(warnings, expected):
    for part, count in expected.items():
        counts = [int(text.rpartition(": ")[2]) for text in warnings if part in text]
        assert counts == ([count] if count else []), f"{part!r} in {warnings}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_the_import_has_the_right_result(node, path):
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    expected = case["expected"]
    if "error" in expected:
        with pytest.raises(InputError) as refused:
            imported(node, path.parent, case)
        assert expected["error"] in f"{refused.value.message} {refused.value.hint}"
        return
    report = imported(node, path.parent, case)
    check_warnings(report.warnings, expected.get("warnings", {}))
    register = expected.get("register", {})
    assert {**report.register, **register} == report.register
    assert report.records == expected.get("records", report.records)
    collection = open_collection(node, "c")
    for record in expected.get("record", ()):
        check_record(collection, record)
    for group in expected.get("same", ()):
        first, *others = [
            collection.columns(place, place + 1).columns.tobytes()
            for reference in group
            for place in collection.find(reference)
        ]
        assert others == [first] * (len(group) - 1), group


def test_every_folder_has_a_case():
    folders = {
        each for each in (ROOT / "tests" / "cases").iterdir() if each.is_dir() and each.name != "__pycache__"
    }
    assert {path.parent for path in CASES} == folders
