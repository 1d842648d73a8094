"""`linkage evaluate` on invented lists, by the command line and through the protocol."""

import csv
import json
import xml.etree.ElementTree as ET

import pytest
from tests.support.list_pairs import CLEAN, build_lists
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.evaluation import View, read_labelled, run_trial
from blindmatch.node.imports.formats import load_mapping
from blindmatch.protocol.linkage import CompileTerms, load_schema

SCHEMA = "uk-person-company-2"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Files of a small pair: left, right, truth, mapping."""
    return build_lists(11, left=150, right=200, overlap=0.3).write(tmp_path_factory.mktemp("small"))


def call(*arguments):
    result = CliRunner().invoke(app, ["linkage", "evaluate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def options(files):
    left, right, truth, mapping = files
    return left, right, "--truth", truth, "--mapping-left", mapping, "--mapping-right", mapping


def labelled(pair, folder, view=View.FULL):
    left, right, truth, mapping = pair.write(folder)
    columns = load_mapping(mapping)
    return read_labelled(load_schema(SCHEMA), left, right, truth, mappings=(columns, columns), view=view)


def test_figures_through_the_protocol_are_those_in_the_clear(small):
    status, plain, err = call(*options(small), "--json", "--budget", 12)
    assert status == 0, err
    status, full, err = call(*options(small), "--json", "--budget", 12, "--through-protocol")
    assert status == 0, err
    clear, through = json.loads(plain), json.loads(full)
    assert clear["through_protocol"] is None
    assert through["through_protocol"]["same"] is True
    assert through["through_protocol"]["elements"] > 0
    assert "protocol" in through["seconds"]
    for name in ("pairs", "leads", "patterns", "tokens_per_record", "expected_false", "keys"):
        assert clear[name] == through[name]


def test_a_report_for_people_says_what_was_found_and_what_was_expected(small):
    status, out, err = call(*options(small))
    assert status == 0, err
    for words in (
        "precision",
        "recall",
        "pairs",
        "leads",
        "expected",
        "patterns",
        "tokens per record",
        "seconds",
    ):
        assert words in out


def test_the_picture_is_written_and_shows_both_curves(small, tmp_path):
    path = tmp_path / "picture.svg"
    status, _, err = call(*options(small), "--picture", path, "--budget", 20)
    assert status == 0, err
    lines = ET.parse(path).getroot().findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    assert all(len(line.get("points").split()) > 1 for line in lines)


def test_counts_add_up_and_no_budget_is_overrun(small):
    data = json.loads(call(*options(small), "--json", "--budget", 10)[1])
    assert data["patterns"] <= 10
    assert data["pairs"]["found"] == sum(key["found"] for key in data["keys"])
    assert data["pairs"]["false"] == sum(key["false"] for key in data["keys"])
    assert data["records"] == {"left": 150, "right": 200}
    assert data["actual_false"] == data["leads"]["false"]


def test_a_second_run_gives_the_same_figures(small):
    runs = [json.loads(call(*options(small), "--json")[1]) for _ in range(2)]
    for run in runs:
        del run["seconds"]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("one_town", [True, False])
def test_families_duplicates_and_few_in_common_keep_precision(tmp_path, seed, one_town):
    pair = build_lists(seed, left=900, right=1_800, one_town=one_town)
    trial = run_trial(labelled(pair, tmp_path), CompileTerms())
    assert trial.leads.precision >= 0.95
    assert trial.pairs.precision >= 0.95
    assert trial.pairs.recall >= 0.65


def test_people_who_are_written_the_same_are_all_found(tmp_path):
    """Relatives in one household are what is left of false leads; without slips of the pen they stand out less."""
    pair = build_lists(4, left=600, right=900, dirt=CLEAN)
    trial = run_trial(labelled(pair, tmp_path), CompileTerms())
    assert trial.pairs.recall == 1.0
    assert trial.pairs.precision >= 0.95


@pytest.mark.parametrize("view", View)
def test_many_relatives_and_people_entered_twice_keep_precision(tmp_path, view):
    """At 5 % expected false leads too, where one list alone has too few leads to tell: three are counted together."""
    found, correct = 0, 0
    for seed in (11, 12, 13):
        pair = build_lists(seed, left=900, right=1_800, relatives=0.6, duplicates=0.15)
        trial = run_trial(labelled(pair, tmp_path, view), CompileTerms(false_leads=0.05))
        found, correct = found + trial.leads.predicted, correct + trial.leads.correct
    assert correct >= 0.95 * found
    assert correct >= 100


def test_lists_with_nobody_in_common_give_hardly_a_lead(tmp_path):
    pair = build_lists(5, left=900, right=1_800, overlap=0.002)
    trial = run_trial(labelled(pair, tmp_path), CompileTerms())
    assert trial.leads.false <= 3


def test_the_register_view_finds_less_and_stays_precise(tmp_path):
    pair = build_lists(6, left=900, right=1_800)
    full = run_trial(labelled(pair, tmp_path), CompileTerms())
    register = run_trial(labelled(pair, tmp_path, View.COMPANIES_HOUSE), CompileTerms())
    assert 0.15 <= register.pairs.recall <= full.pairs.recall
    assert register.leads.precision >= 0.95


class TestFaults:
    def test_fields_that_cannot_be_read_are_blanked_and_counted(self, tmp_path):
        left, right, truth, mapping = build_lists(12, left=60, right=60, overlap=0.5, dirt=CLEAN).write(
            tmp_path
        )
        with left.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        rows[1][3] = "31/02/1970"
        rows[2][0] = rows[3][0]
        with left.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        columns = load_mapping(mapping)
        made = read_labelled(load_schema(SCHEMA), left, right, truth, mappings=(columns, columns))
        assert made.left.records == 59
        assert made.left.rows_left_out == 1
        assert sum(made.left.faults.values()) == 2
        assert any(reason.startswith("date_of_birth: ") for reason in made.left.faults)
        assert "31/02" not in str(made.left.faults)

    def test_true_pairs_of_rows_that_are_not_there_count_as_missed(self, small, tmp_path):
        left, right, truth, mapping = small
        more = tmp_path / "truth.csv"
        more.write_text(truth.read_text() + "nobody,noone\n")
        columns = load_mapping(mapping)
        made = read_labelled(load_schema(SCHEMA), left, right, more, mappings=(columns, columns))
        assert made.missing_pairs == 1
        assert made.true_pairs == len(made.truth) + 1

    def test_a_truth_without_its_columns_is_refused(self, small, tmp_path):
        bad = tmp_path / "truth.csv"
        bad.write_text("a,b\n1,2\n")
        left, right, _, mapping = small
        status, _, err = call(
            left, right, "--truth", bad, "--mapping-left", mapping, "--mapping-right", mapping
        )
        assert status == 1
        assert "there is no column 'left_reference'" in err

    def test_a_truth_of_other_lists_is_refused(self, small, tmp_path):
        bad = tmp_path / "truth.csv"
        bad.write_text("left_reference,right_reference\n1,2\n")
        left, right, _, mapping = small
        status, _, err = call(
            left, right, "--truth", bad, "--mapping-left", mapping, "--mapping-right", mapping
        )
        assert status == 1
        assert "no pair has a record in each list" in err

    def test_terms_that_make_no_sense_are_refused(self, small):
        status, _, err = call(*options(small), "--overlap", 2)
        assert status != 0
        assert err
