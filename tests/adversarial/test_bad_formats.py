"""Whatever stands in a JSON or fixed-width file: drafts, faults by row, or a refusal with a hint; nothing else."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.paths import FORMATS

from blindmatch.node.imports.formats import (
    Format,
    ReadContext,
    SourceRecord,
    read_file,
    read_register,
    recognise_format,
)
from blindmatch.protocol.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def good(name, place):
    return json.loads((FORMATS / name).read_text(encoding="utf-8").splitlines()[place])


def mangled(content, odd, depth=4):
    """The same object with odd values where `odd` says so, by the names of its parts."""
    if isinstance(content, dict) and depth:
        return {
            name: odd[name] if name in odd else mangled(value, odd, depth - 1)
            for name, value in content.items()
        }
    return (
        [mangled(item, odd, depth - 1) for item in content]
        if isinstance(content, list) and depth
        else content
    )


def names_of(content):
    if isinstance(content, dict):
        return set(content) | {name for value in content.values() for name in names_of(value)}
    return {name for item in content for name in names_of(item)} if isinstance(content, list) else set()


CASES = [
    (Format.OCDS, "ocds-releases.jsonl", 0),
    (Format.OCDS, "ocds-releases.jsonl", 1),
    (Format.BODS, "bods.jsonl", 0),
    (Format.BODS, "bods.jsonl", 1),
    (Format.BODS, "bods.jsonl", 2),
    (Format.FTM, "ftm.jsonl", 0),
    (Format.FTM, "ftm.jsonl", 1),
    (Format.FTM, "ftm.jsonl", 8),
]


@pytest.mark.parametrize(("form", "name", "place"), CASES)
@given(st.data())
def test_odd_values_give_drafts_or_faults(tmp_path_factory, form, name, place, data):
    whole = good(name, place)
    odd = data.draw(st.dictionaries(st.sampled_from(sorted(names_of(whole))), JSON, max_size=3))
    others = (FORMATS / name).read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("any") / "input"
    path.write_text(others + json.dumps(mangled(whole, odd)) + "\n", encoding="utf-8")
    found = list(read_file(form, path, ReadContext()))
    assert found
    assert all(draft.faults or draft.reference for draft in found)
    assert all(draft.faults for draft in found if draft.unusable)


@example(b"\xef\xbb\xbf", "")
@given(
    st.binary(max_size=300),
    st.sampled_from(["", "{", "[", '{"releases": [', "DDDDSNAP", "DDDDSNAP289820260101\n"]),
)
def test_any_bytes_are_refused_with_a_hint_or_read(tmp_path_factory, data, start):
    path = tmp_path_factory.mktemp("any") / "input"
    path.write_bytes(start.encode() + data)
    for form in [None, *Format]:
        if form in {Format.AUTO, Format.TABLE}:
            continue
        found, hint = [], "none needed"
        try:
            chosen = form or recognise_format(path)
            found = [] if chosen is Format.TABLE else list(read_file(chosen, path, ReadContext()))
        except InputError as error:
            hint = error.hint
        assert hint
        assert all(draft.faults or draft.reference for draft in found)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_a_spoilt_officers_file_is_refused_or_its_lines_are(tmp_path_factory, place, junk):
    data = (FORMATS / "officers-216.dat").read_bytes()
    path = tmp_path_factory.mktemp("any") / "input"
    path.write_bytes(data[:place] + junk + data[place + len(junk) :])
    wanted = {"01234567": [SourceRecord("V1", "P", {}, 2)]}
    found, hint = [], "none needed"
    try:
        found = list(read_register(path, wanted, ReadContext()))
    except InputError as error:
        hint = error.hint
    assert hint
    assert all(draft.faults or draft.reference == "V1" for draft in found)


@pytest.mark.parametrize("form", [Format.OCDS, Format.BODS, Format.FTM, Format.PSC])
def test_nesting_beyond_measure_is_a_fault_or_a_refusal(tmp_path, form):
    path = tmp_path / "deep"
    path.write_text('{"ocid": ' + "[" * 100_000 + "]" * 100_000 + "}\n", encoding="utf-8")
    with pytest.raises(InputError):
        list(read_file(form, path, ReadContext()))
