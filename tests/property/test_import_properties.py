"""Rows read in chunks give the same records, digests, faults and warnings as rows read one by one."""

import csv
import io
import itertools
import json
import time
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.local_nodes import LocalNodes

from blindmatch.node.imports import import_collection, writer
from blindmatch.node.imports.blocks import PURPOSE, BlockReader, json_lines
from blindmatch.node.imports.formats import Drafter, tabular
from blindmatch.node.imports.formats.column_mapping import recognise
from blindmatch.node.imports.formats.plain_rows import PlainRowReader
from blindmatch.node.imports.report import ImportRefusedError, OnBad
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import RecordBuilder, load_schema
from blindmatch.protocol.linkage.normalise import company_number, plain_company_numbers

NUMBERS = itertools.count()

# Each column's usual texts first, then awkward ones: blank, several, faulty, of another form, far too long.
COLUMNS = {
    "reference": [
        "A-1",
        "A-2",
        "A-3",
        "A-4",
        "A-5",
        "A-6",
        " A-7 ",
        "A-8",
        "A-9",
        "",
        "x" * 201,
        "a\x01b",
        'q"q',
    ],
    "forenames": ["Jane", "Jane Ann", "JOHN", "Zoë", "", "J.", "محمد"],
    "surname": ["Smith", "O'Brien", "de la Cruz", "", "-", "Ng"],
    "full_name": ["Jane Smith", "", "Smith, Jane", "Cher"],
    "aliases": ["", "", "", "", "Jan Smit", "Nip;Tuck Smith"],
    "date_of_birth": [
        "1970-02-03",
        "03/02/1970",
        "1971",
        "1980-12",
        "",
        "30/02/1970",
        "no date",
        "1970;1971",
        "12/12/2099",
        "n/k",
    ],
    "postcode": ["NG9 8PY", "ng98py", "AB1 2CD", "", "QQ QQ", "NG9 8PY;AB1 2CD", "75008"],
    "address": [
        "12 High Street",
        "12 High Street, Leeds, LS1 1AA",
        "Flat 2, 12 High St",
        "",
        "1 A St;2 B St",
        "The Barn",
    ],
    "house_number": ["", "", "7", "7a"],
    "street": ["", "", "Low Lane"],
    "town": ["Leeds", "", "leeds", "York;Hull", "N/A"],
    "company_number": [
        "01234567",
        "12345678",
        "SC123456",
        "1234567",
        "",
        "00000000",
        "nonsense",
        "01234567;SC1",
    ],
    "vat_number": ["GB123456782", "123 4567 82", "", "123"],
    "phone": ["0113 496 0000", "", "999", " TBC ", "0113 496 0000;N/A"],
    "email": ["a@b.example", "", "not an address"],
    "vehicle": ["AB12 CDE", "", "?"],
    "company_name": ["Acme Ltd", "", "Acme Limited"],
    "handling_code": ["P", "p", "C", "", "X"],
    "grading": ["2B", "2bp", "", "9Z"],
    "group": ["G1", "", "-"],
    "contract_reference": ["K-1", ""],
    "contract_value": ["1000", "", "#N/A"],
    "contract_start": ["2020-01-01", "", "2020-99-01", "TBC"],
    "role": ["plumber", ""],
    "note": ["ünusual", "", "two\nlines", "a, b", " spaced "],
}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    town = LocalNodes(tmp_path_factory.mktemp("town"), {"west-force": "police"}, time.time())
    yield town.nodes["west-force"]
    town.close()


@st.composite
def tables(draw):
    matching = draw(
        st.sampled_from(
            [
                ["company_number"],
                ["forenames", "date_of_birth"],
                ["full_name", "postcode", "handling_code"],
                ["surname", "house_number", "street", "address"],
                ["company_number", "note"],
            ]
        )
    )
    more = draw(st.lists(st.sampled_from(list(COLUMNS)[1:]), max_size=5, unique=True))
    names = list(dict.fromkeys(["reference", *matching, *more]))
    # Mostly the usual texts: a table of nothing but awkward ones would have no plain rows.
    awkward = draw(st.sampled_from([0, 1, 8]))
    rows = []
    for number in range(draw(st.sampled_from([1, 3, 12, 24]))):
        row = []
        for name in names:
            texts = COLUMNS[name]
            usual = draw(st.integers(0, 9)) >= awkward
            if name == "reference" and usual:
                row.append(f"R-{number - (awkward and not draw(st.integers(0, 9)))}")
            else:
                row.append(draw(st.sampled_from(texts[:3] if usual else texts)))
        if awkward and not draw(st.integers(0, 15)):
            row = row[:-1]
        rows.append(row)
    return names, rows


def report_of(report):
    """Warnings are in the order of their first occurrence, which differs for a chunk."""
    return asdict(report) | {"name": "", "collection": "", "warnings": sorted(report.warnings)}


def import_result(node, path, kind, facts, on_bad):
    """The result and the stored data of an import, without its random parts."""
    name = f"c{next(NUMBERS)}"
    try:
        report = import_collection(node, name, kind, path, facts=facts, on_bad=on_bad)
    except ImportRefusedError as error:
        return report_of(error.report)
    except InputError as error:
        return error.message, error.hint
    reader = BlockReader(
        node.collections_dir / report.collection, node.keys.sealer.derive(PURPOSE), report.collection
    )
    blocks = [
        (*(x.tobytes() for x in reader.columns(each)), list(reader.details(each)))
        for each in range(len(reader))
    ]
    entities = reader.entities.tolist()  # random, except that some are equal and some are zero
    whose = [entities.index(each) for each in entities]
    alone = [each == 0 for each in entities]
    return report_of(report), blocks, reader.handling.tobytes(), whose, alone


@given(
    table=tables(),
    kind=st.sampled_from(["subjects", "suppliers", "bidders"]),
    on_bad=st.sampled_from(list(OnBad)),
    end=st.sampled_from(["\n", "\r\n"]),
    form=st.sampled_from(["csv", "parquet"]),
    chunk=st.sampled_from([1, 5, 4_096]),
)
def test_by_the_chunk_as_one_by_one(node, tmp_path_factory, table, kind, on_bad, end, form, chunk):
    names, rows = table
    path = tmp_path_factory.mktemp("file") / "table"
    if form == "parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        whole = [row + [""] * (len(names) - len(row)) for row in rows]
        parquet.write_table(
            arrow.table(dict(zip(names, map(list, zip(*whole, strict=True)), strict=True))), path
        )
    else:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=end).writerows([names, *rows])
        path.write_bytes(text.getvalue().encode())
    facts = [name for name in ("role", "note") if name in names]
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "_CHUNK_ROWS", chunk)
        patch.setattr(writer, "BLOCK_RECORDS", 7)
        for applicable in (True, False):
            if not applicable:
                patch.setattr(PlainRowReader, "applicable", False, raising=False)
                patch.setattr(PlainRowReader, "__init__", lambda *_: None)
                patch.setattr(tabular._Csv, "_columns", lambda *_: None)
            results.append(import_result(node, path, kind, facts, on_bad))
    assert results[0] == results[1]


@given(
    references=st.lists(st.text(), min_size=1, max_size=5),
    texts=st.lists(st.text(max_size=5), min_size=5, max_size=5),
    more=st.lists(st.sampled_from(["", "x"]), min_size=5, max_size=5),
)
def test_columns_are_written_as_records_are(references, texts, more):
    facts = {'odd "name"': texts[: len(references)], "b": more[: len(references)]}
    for chosen in (facts, {"b": facts["b"]}, {}):
        lines = json_lines(references, chosen, {"row": list("12345")[: len(references)]})
        for place, line in enumerate(lines):
            present = {name: column[place] for name, column in chosen.items() if column[place]}
            record = [references[place], present, {"row": str(place + 1)}]
            assert line == json.dumps(record, separators=(",", ":"))


@given(st.lists(st.sampled_from(["01234567", "12345678", "99000000", "1234567", "SC123456", "", "٠١٢٣٤٥٦٧"])))
def test_the_short_way_for_company_numbers_leaves_them_as_they_are(texts):
    if plain_company_numbers(texts):
        assert [company_number(text) for text in texts] == texts


@given(
    st.lists(
        st.tuples(*(st.sampled_from(COLUMNS[name][:4]) for name in ("forenames", "surname", "town"))),
        max_size=6,
    )
)
def test_columns_have_the_digests_of_rows(people):
    schema = load_schema("uk-person-company-2")
    names = ("forenames", "surname", "town")
    rows = RecordBuilder(schema).rows([dict(zip(names, each, strict=True)) for each in people])
    columns = {name: [each[place] for each in people] for place, name in enumerate(names)}
    assert RecordBuilder(schema).columns(columns, len(people)) == rows


def test_plain_rows_go_together_and_the_others_in_their_places(tmp_path):
    path = tmp_path / "t.csv"
    numbers = ["01234567", "SC123456", "nonsense", "1234567", "01234567;SC123456", "12345678"]
    path.write_text("reference,company_number\n" + "".join(f"R-{i},{x}\n" for i, x in enumerate(numbers)))
    with tabular.open_table(path) as opened:
        (chunk,) = opened.parts
    drafter = Drafter(opened, recognise(opened.header, "suppliers"))
    classified = PlainRowReader(drafter).read(chunk)
    assert classified.plain.values["company_number"] == ["01234567", "SC123456", "01234567", "12345678"]
    assert [part if isinstance(part, tuple) else part.number for part in classified.order] == [
        (0, 2),
        4,
        (2, 3),
        6,
        (3, 4),
    ]
    assert drafter.references == {"R-0", "R-1", "R-3", "R-5"}
