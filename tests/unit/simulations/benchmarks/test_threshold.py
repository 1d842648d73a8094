"""The report of `bench threshold`, and its lists: the people who are in every one, and nobody else twice."""

import csv

from blindmatch.simulations.benchmarks.threshold import ThresholdCost, _people, report

COST = ThresholdCost(
    5, 3, 10_000, "native", 2, 12.5, 2.5, 8.25, 300 << 20, 150 << 20, 82 << 20, 2.8e-14, 1e-28
)


def test_the_report_says_what_was_measured_and_how_seldom_it_is_wrong():
    made = report([COST])
    assert made.rows[0][:4] == (5, 3, 10_000, 12.5)
    assert made.rows[0][6] == 82.0
    (remark,) = [line for line in made.data["remarks"] if "missed" in line]
    assert "within 60 s on 2 cores for all 6 nodes" in remark
    assert "2.8e-14" in remark
    late = report([ThresholdCost(**{**vars(COST), "wall": 61.0})])
    assert any("ABOVE 60 s" in line for line in late.data["remarks"])
    assert [series.name for series in made.series] == ["collector", "all members"]


def test_the_common_people_are_the_first_of_every_list(tmp_path):
    lists = []
    for label in ("one", "two"):
        with _people(tmp_path / f"{label}.csv", label, 40, 4).open(encoding="utf-8") as file:
            lists.append([tuple(row.values())[1:] for row in csv.DictReader(file)])
    assert lists[0][:4] == lists[1][:4]
    assert not set(lists[0][4:]) & set(lists[1][4:])
    assert len(lists[0]) == 40
