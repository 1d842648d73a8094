import numpy as np
import pytest

from blindmatch.protocol.linkage.columns import (
    MAX_ROWS,
    RecordBuilder,
    components,
    level_digester,
    level_digests,
)
from blindmatch.protocol.linkage.schema import load_schema

SCHEMA = load_schema("uk-person-company-2")


def digest_level(name, text):
    return level_digester(name, 0)(text)


def level(rows, index, name):
    return rows[index, SCHEMA.level_index(name)].tobytes()


def test_a_row_has_a_digest_per_level_that_says_something():
    rows = level_digests(
        SCHEMA,
        [
            {
                "forenames": "John Paul",
                "surname": "O'Brien",
                "date_of_birth": "3 Feb 1970",
                "postcode": "ng9 8py",
            },
            {"surname": "OBRIEN", "date_of_birth": "1970-02", "company_number": "1234567"},
        ],
    )
    assert rows.shape == (2, len(SCHEMA.levels), 16)
    assert rows.dtype == np.uint8
    assert rows.flags.c_contiguous
    assert level(rows, 0, "forename") == digest_level("forename", "john")
    assert level(rows, 0, "district") == digest_level("district", "NG9")
    assert level(rows, 0, "company-number") == bytes(16)
    assert level(rows, 1, "forename") == bytes(16)
    assert level(rows, 1, "full-date") == bytes(16)
    assert level(rows, 1, "company-number") == digest_level("company-number", "01234567")
    for same in ("surname", "year-month"):
        assert level(rows, 0, same) == level(rows, 1, same) != bytes(16)


def test_one_text_at_two_levels_has_two_digests():
    assert digest_level("forename", "paul") != digest_level("surname", "paul")
    assert digest_level("forename", "") == bytes(16)


def test_no_rows_and_blank_rows():
    assert level_digests(SCHEMA, []).shape == (0, len(SCHEMA.levels), 16)
    assert not level_digests(SCHEMA, [{}, {"forenames": "", "surname": " "}]).any()


def test_a_bad_value_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="no such day"):
        level_digests(SCHEMA, [{"date_of_birth": "30/02/1970"}])


def test_fields_that_meet_in_a_key_belong_together():
    first, *alone = components(SCHEMA)
    assert {
        "forenames",
        "surname",
        "date_of_birth",
        "postcode",
        "address",
        "town",
        "phone",
        "vehicle",
    } <= set(first)
    assert ("company_number",) in alone


def test_alternatives_are_crossed_only_where_a_key_needs_it():
    builder = RecordBuilder(SCHEMA)
    names = [{"forenames": "Jon", "surname": "Smith"}, {"forenames": "Jack", "surname": "Black"}]
    places = [{"postcode": "NG9 8PY"}, {"postcode": "S1 1AA"}]
    companies = [{"company_number": "1"}, {"company_number": "2"}, {"company_number": "3"}]
    rows, dropped = builder.combine([names, [{"date_of_birth": "1970"}], places, companies])
    assert dropped == 0
    assert len(rows) == 4
    assert {(row["surname"], row["postcode"]) for row in rows} == {
        (surname, place) for surname in ("Smith", "Black") for place in ("NG9 8PY", "S1 1AA")
    }
    assert [row.get("company_number") for row in rows] == ["1", "2", "3", None]
    assert builder.combine([]) == ([], 0)
    assert builder.combine([companies]) == (companies, 0)


def test_a_record_cannot_have_endless_rows():
    builder = RecordBuilder(SCHEMA)
    names = [{"forenames": "Jon", "surname": f"Smith{i}"} for i in range(20)]
    places = [{"postcode": f"NG{i} 8PY"} for i in range(1, 11)]
    rows, dropped = builder.combine([names, places])
    assert len(rows) == MAX_ROWS
    assert dropped == 200 - MAX_ROWS


def test_rows_of_several_calls_join_into_one_array():
    builder = RecordBuilder(SCHEMA)
    values = [
        {"surname": "Smith", "company_number": "7"},
        {"forenames": "Ann", "date_of_birth": "1970-01-01"},
    ]
    joined = builder.rows(values[:1]) + builder.rows(values[1:])
    assert len(joined) == 2 * builder.row_bytes
    assert np.array_equal(builder.array(joined), level_digests(SCHEMA, values))
