"""Plots of cost against n: the SVG is well-formed and shows what it was given, and so does the sketch."""

import xml.etree.ElementTree as ET

import pytest

from blindmatch.simulations.benchmarks.figures import busy, cores, mib, significant
from blindmatch.simulations.benchmarks.plot import Axes, Series, draw, label, sketch

AXES = Axes("Cost <of> a job & more", "records", "CPU seconds")
SVG = "{http://www.w3.org/2000/svg}"
TWO = (
    Series("ours", ((1_000, 0.5), (10_000, 5.0), (100_000, 50.0))),
    Series("theirs & others", ((1_000, 2.0), (100_000, 3.0))),
)


def parts(text, kind):
    return ET.fromstring(text).iter(f"{SVG}{kind}")


def test_every_point_is_drawn_inside_the_frame():
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in parts(draw(AXES, TWO), "circle")]
    assert len(circles) == 5
    assert all(80 <= x <= 580 and 56 <= y <= 406 for x, y in circles)


def test_equal_factors_are_equal_distances():
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in parts(draw(AXES, TWO[:1]), "circle")]
    (x0, y0), (x1, y1), (x2, y2) = circles
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y1


def test_titles_names_and_decades_are_written():
    texts = {element.text for element in parts(draw(AXES, TWO), "text")}
    assert {AXES.title, AXES.x, AXES.y, "ours", "theirs & others", "1,000", "100,000", "0.1", "100"} <= texts


@pytest.mark.parametrize("series", [(), (Series("none", ()),), (Series("zero", ((10, 0.0), (0, 1.0))),)])
def test_nothing_to_draw_is_said(series):
    assert "Nothing was measured." in {element.text for element in parts(draw(AXES, series), "text")}
    assert sketch(AXES, series) == ["Nothing was measured."]


def test_points_that_have_no_logarithm_are_left_out():
    circles = list(parts(draw(AXES, (Series("a", ((10, 0.0), (10, 1.0))),)), "circle"))
    assert len(circles) == 1


def test_a_single_point_has_a_frame_too():
    lines = sketch(AXES, (Series("a", ((1_000, 1.0),)),))
    assert sum("o" in line.partition("|")[2] for line in lines) == 1


def test_the_sketch_shows_each_series_and_both_axes():
    lines = sketch(AXES, TWO, width=40, height=10)
    drawn = [line.partition("|")[2] for line in lines if "|" in line]
    assert len(drawn) == 10
    assert sum(line.count("o") for line in drawn) == 3
    assert sum(line.count("x") for line in drawn) == 2
    assert lines[0] == AXES.y
    assert any("1,000" in line and "100,000" in line and AXES.x in line for line in lines)
    assert lines[-2:] == [line for line in lines if line.strip() in {"o ours", "x theirs & others"}]


def test_the_first_series_is_on_top():
    lines = sketch(AXES, (Series("a", ((10, 1.0), (100, 10.0))), Series("b", ((10, 1.0), (100, 1.0)))))
    drawn = "".join(line.partition("|")[2] for line in lines)
    assert drawn.count("o") == 2
    assert drawn.count("x") == 1


@pytest.mark.parametrize(
    ("value", "text"), [(1e-5, "0.00001"), (0.1, "0.1"), (1.0, "1"), (1000.0, "1,000"), (1e6, "1,000,000")]
)
def test_powers_of_ten_as_people_write_them(value, text):
    assert label(value) == text


def test_a_busy_machine_is_said():
    assert busy(0.0) == []
    (remark,) = busy(float(cores()))
    assert f"on {cores()} cores" in remark


@pytest.mark.parametrize(("value", "shown"), [(123456.0, 123000.0), (0.0123456, 0.0123), (0.0, 0.0)])
def test_three_digits_mean_something(value, shown):
    assert significant(value) == shown


@pytest.mark.parametrize(("octets", "text"), [(0, "0.0"), (3 << 20, "3.0"), (2_000 << 20, "2,000")])
def test_bytes_in_a_table(octets, text):
    assert mib(octets) == text
