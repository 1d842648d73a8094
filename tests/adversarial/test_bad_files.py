"""Files as they come: each is refused, or each bad row is, with a reason; memory stays bounded and nothing is stored."""

import json
import re
import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from tests.support.paths import FIXTURES

from blindmatch.node.imports import ImportRefusedError, OnBad, import_collection
from blindmatch.node.imports.formats import Drafter, ReadContext, SourceRecord, open_table, read_register
from blindmatch.node.imports.formats.column_mapping import recognise
from blindmatch.node.imports.formats.lines import Lines
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import InputError

HEADER = b"reference,forenames,surname,dob\n"
GOOD = b"A,Ada,Quill,1970-01-01\n"


@pytest.fixture
def node(tmp_path):
    settings = Settings(agency="west-force", name="West Force", role="police")
    with Node.create(tmp_path / "node", settings, "correct horse", scrypt_n=2**10) as made:
        yield made


@pytest.fixture
def import_bytes(node, tmp_path):
    """Imports these bytes; gives the report, of a refusal too. Holds that a refusal stores nothing."""

    def call(data, **options):
        path = tmp_path / "input.csv"
        path.write_bytes(data)
        try:
            return import_collection(node, "c", "subjects", path, **options)
        except InputError as error:
            assert node.store.collections() == []
            assert [entry for entry in node.collections_dir.iterdir() if entry.is_dir()] == []
            if isinstance(error, ImportRefusedError):
                return error.report
            raise

    return call


@pytest.mark.parametrize(
    ("data", "says", "hint"),
    [
        (b"", "empty", "export"),
        (b"\n", "names no columns", "header"),
        (b"\xef\xbb\xbf", "empty", "header"),
        (HEADER, "no rows", "export"),
        (HEADER + b"\n\n", "no rows", "export"),
        (
            HEADER + "B,Célestine,Quill,1970-01-01\n".encode("cp1252"),
            "line 2 is not UTF-8",
            "--encoding cp1252",
        ),
        ("référence,dob\nA,1970\n".encode("cp1252"), "line 1 is not UTF-8", "--encoding cp1252"),
        ((HEADER + GOOD).decode().encode("utf-16"), "UTF-16", "UTF-8"),
        ((HEADER + GOOD).decode().encode("utf-16-le"), "NUL bytes", "UTF-8"),
        (b"PK\x03\x04" + bytes(99), "workbook", "CSV"),
        (b"\x1f\x8b\x08" + bytes(99), "gzip", "gunzip"),
        (b"PAR1 is not enough", "Parquet file is damaged", "again"),
        (b"forenames,surname,dob\nAda,Quill,1970-01-01\n", "reference", "collection map"),
        (b"reference,colour\nA,red\n", "a field to match on", "collection map"),
        (b"reference,surname,surname\nA,B,C\n", "two columns have the name 'surname'", "own name"),
        (b'reference,"surname\nA,B\n', "not a header", "first line"),
        (b"reference," + b"x" * 70_000 + b"\n", "longer than", "header"),
        (b"reference,sur\0name\n" + GOOD, "NUL byte", "header"),
        (HEADER + b'A,"Ada,Quill,1970-01-01\n' + GOOD * 5_000, "does not end within", "quotation mark"),
        (HEADER + b"A,,,\n", "no row can be matched on", "company number"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_hint(import_bytes, data, says, hint):
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        import_bytes(data)
    assert hint in caught.value.hint
    assert (
        "input.csv" in caught.value.message
        or "no row can" in caught.value.message
        or "no column" in caught.value.message
    )


def test_the_hint_about_the_encoding_is_right(import_bytes):
    data = HEADER + "B,Célestine,Quill,1970-01-01\n".encode("cp1252")
    with pytest.raises(InputError, match="unknown encoding"):
        import_bytes(data, encoding="klingon")
    assert import_bytes(data, encoding="cp1252").records == 1


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        (GOOD + b"B,Bo,Quill,1970-02-30\n", [(3, "date_of_birth", "no such day")]),
        (GOOD + b"B,Bo,Quill,70-01-01\n", [(3, "date_of_birth", "four digits")]),
        (GOOD + GOOD, [(3, "reference", "earlier row")]),
        (GOOD + b" A ,Bo,Quill,1970-01-01\n", [(3, "reference", "earlier row")]),
        (GOOD + b",Bo,Quill,1970-01-01\n", [(3, "reference", "missing")]),
        (b"B" * 300 + b",Bo,Quill,1970-01-01\n" + GOOD, [(2, "reference", "longer than 200")]),
        (b"B\x1b[2J,Bo,Quill,1970-01-01\n" + GOOD, [(2, "reference", "control character")]),
        (b"B,Bo\n" + GOOD, [(2, "", "2 cells where the header has 4")]),
        (b"B,Bo,Quill,1970-01-01,more\n" + GOOD, [(2, "", "5 cells where the header has 4")]),
        (b"B,B\0o,Quill,1970-01-01\n" + GOOD, [(2, "", "NUL byte")]),
        (b"B," + b"x" * 1_000_000 + b",Quill,1970-01-01\n" + GOOD, [(2, "", "longer than 65536 bytes")]),
        (b'B,"Bo"x,Quill,1970-01-01\n' + GOOD, [(2, "", "quotes")]),
        (GOOD + b'B,"Bo,Quill,1970-01-01\n', [(3, "", "quotes")]),
        (
            b"B,Bo,Quill,1970-02-30\r\n" + GOOD + b"C,Cy,Quill,1970-13-01\r",
            [(2, "date_of_birth", ""), (4, "date_of_birth", "")],
        ),
    ],
)
def test_a_bad_row_is_named_and_the_good_one_is_counted(import_bytes, rows, faults):
    report = import_bytes(HEADER + rows)
    assert [(fault.row, fault.field) for fault in report.bad_rows] == [(row, name) for row, name, _ in faults]
    for fault, (_, _, reason) in zip(report.bad_rows, faults, strict=True):
        assert reason in fault.reason
    assert (report.good_rows, report.collection) == (1, "")
    again = import_bytes(HEADER + rows, on_bad=OnBad.SKIP_ROW)
    assert (again.records, again.bad_row_count) == (1, len(faults))


def test_a_field_of_a_megabyte_in_parquet(import_bytes, tmp_path):
    table = pa.table({"reference": ["A", "B"], "company_number": ["1", "2"], "alias": ["x" * 1_000_000, "y"]})
    parquet.write_table(table, tmp_path / "big")
    report = import_bytes((tmp_path / "big").read_bytes())
    assert [(fault.row, fault.reason) for fault in report.bad_rows] == [
        (1, "the row is longer than 65536 bytes")
    ]


def test_a_parquet_file_cut_short_or_without_rows(import_bytes, tmp_path):
    path = tmp_path / "t"
    parquet.write_table(pa.table({"reference": ["A"] * 100, "dob": ["1970"] * 100}), path)
    with pytest.raises(InputError, match="damaged"):
        import_bytes(path.read_bytes()[:-40])
    parquet.write_table(
        pa.table({"reference": pa.array([], pa.string()), "dob": pa.array([], pa.string())}), path
    )
    with pytest.raises(InputError, match="no rows"):
        import_bytes(path.read_bytes())


def test_a_file_that_is_not_there_or_is_a_folder(node, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match=re.escape(str(path))):
            import_collection(node, "c", "subjects", path)


def test_a_line_of_many_megabytes_is_never_in_memory(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(HEADER)
        for _ in range(32):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + GOOD)
    tracemalloc.start()
    try:
        with open_table(path) as table:
            rows = list(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [bool(row.fault) for row in rows] == [True, False]
    assert peak < 4 << 20


def test_a_register_that_is_none(node, tmp_path):
    suppliers = FIXTURES / "suppliers.csv"
    for data, says in (
        (b"", "empty"),
        (b"\n\n", "no lines"),
        (suppliers.read_bytes(), "not JSON"),
        (b"[1, 2]\n", "not an entry"),
        (b"PK\x03\x04", "ZIP"),
        (b'{"company_number":"01234567","data":{"kind', "cut off"),
    ):
        path = tmp_path / "register.jsonl"
        path.write_bytes(data)
        with pytest.raises(InputError, match=says):
            import_collection(node, "c", "suppliers", suppliers, register=path)
        assert node.store.collections() == []


def test_a_register_cut_short_refuses_the_import(node, tmp_path):
    whole = (FIXTURES / "register.jsonl").read_bytes()
    path = tmp_path / "register.jsonl"
    path.write_bytes(whole[: whole.index(b"Gwen")])
    with pytest.raises(ImportRefusedError) as caught:
        import_collection(node, "c", "suppliers", FIXTURES / "suppliers.csv", register=path)
    assert [(f.file, f.row) for f in caught.value.report.bad_rows] == [("register.jsonl", 5)]


@given(st.binary(max_size=400))
def test_any_bytes_give_rows_faults_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "input"
    path.write_bytes(HEADER + data)
    found, hint = [], "none needed"
    try:
        with open_table(path, limit=100) as table:
            found.extend(map(Drafter(table, recognise(table.header, "subjects")).draft, table))
    except InputError as error:
        hint = error.hint
    assert hint
    assert all(draft.faults or draft.reference for draft in found)
    assert all(draft.faults for draft in found if draft.unusable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "kind",
    "name",
    "name_elements",
    "date_of_birth",
    "address",
    "natures_of_control",
    "ceased_on",
    "links",
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)), JSON)
def test_any_entry_of_the_register_gives_drafts_or_faults(tmp_path_factory, data, number):
    path = tmp_path_factory.mktemp("any") / "register"
    person = {"kind": "individual-person-with-significant-control"}
    first = {"company_number": "01234567", "data": person}
    odd = {"company_number": number, "data": {**person, **data}}
    same = {"company_number": "01234567", "data": {**person, **data, **person}}
    path.write_text("\n".join(json.dumps(entry) for entry in (first, odd, same)), encoding="utf-8")
    wanted = {"01234567": [SourceRecord("V1", "P", {}, 2)]}
    found = list(read_register(path, wanted, ReadContext()))
    assert all(draft.faults or draft.reference == "V1" for draft in found)


@given(st.lists(st.text("ab\r\n", max_size=12), max_size=8), st.integers(1, 9))
def test_lines_are_those_of_splitlines_whatever_the_block(tmp_path_factory, parts, block):
    data = "".join(parts).encode()
    path = tmp_path_factory.mktemp("any") / "lines"
    path.write_bytes(data)

    class Small:
        """A file that gives a few bytes at a time."""

        def __init__(self, file):
            self.file = file

        def read(self, _count):
            return self.file.read(block)

    with path.open("rb") as file:
        lines = Lines(path, Small(file), 5)
        found = list(lines)
    assert found == [None if len(line) > 5 else line for line in data.splitlines(keepends=True)]
    assert lines.number == len(found)
