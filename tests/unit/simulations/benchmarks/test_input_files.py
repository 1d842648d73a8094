"""The invented files of `bench import` are what the importers take for the real ones, every row of them."""

import pytest

from blindmatch.node.imports.formats import Format, ReadContext, read_file, recognise_format
from blindmatch.simulations.benchmarks import input_files

ROWS = 300


@pytest.mark.parametrize(
    ("write", "form", "records"),
    [
        (input_files.write_psc, Format.PSC, ROWS),
        (input_files.write_officers, Format.OFFICERS, ROWS // 2),
        (input_files.write_subjects, Format.TABLE, None),
        (input_files.write_suppliers, Format.TABLE, None),
    ],
)
def test_every_row_is_understood(tmp_path, write, form, records):
    path = tmp_path / "file"
    assert write(path, ROWS) == ROWS
    assert recognise_format(path) is form
    if records is not None:
        drafts = list(read_file(form, path, ReadContext()))
        assert len(drafts) == records
        assert not any(draft.faults for draft in drafts)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_an_officers_file_of_any_length_is_whole(tmp_path, rows):
    path = tmp_path / "officers.dat"
    written = input_files.write_officers(path, rows)
    assert written == max(rows, 2)
    assert len(list(read_file(Format.OFFICERS, path, ReadContext()))) == written // 2


def test_the_same_size_gives_the_same_file(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    input_files.write_psc(first, 50)
    input_files.write_psc(second, 50)
    assert first.read_bytes() == second.read_bytes()


def test_people_vary():
    people = input_files.People("trial")
    made = [people.person() for _ in range(200)]
    assert len({person["surname"] for person in made}) > 50
    assert len({person["postcode"] for person in made}) > 190
