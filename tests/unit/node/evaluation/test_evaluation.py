"""Evaluation: measures, matching by sorting, the chart, and a record as a register has it."""

import math
import xml.etree.ElementTree as ET
from types import MappingProxyType

import numpy as np
import pytest

from blindmatch.node.evaluation.chart import Panel, Point, draw
from blindmatch.node.evaluation.matching import intersect
from blindmatch.node.evaluation.measures import Quality, lead_quality, pair_quality
from blindmatch.node.evaluation.register_view import drop_below_district, register_parts
from blindmatch.protocol.linkage import DUMMY, Tokens, level_digests, load_schema

SCHEMA = "uk-person-company-2"
SVG = "{http://www.w3.org/2000/svg}"


def pairs(*members):
    return np.array(members, dtype=np.int64).reshape(-1, 2)


def made(slots, per_record, holders=()):
    """Tokens from rows of (token number, key) or None for padding; `holders` maps an element to its records."""
    flat = [slot for record in slots for slot in (*record, *[None] * (per_record - len(record)))]
    random = np.random.default_rng(len(slots))
    tokens = random.integers(0, 256, (len(flat), 32), dtype=np.uint8)
    index = np.full(len(flat), DUMMY, dtype=np.uint8)
    for place, slot in enumerate(flat):
        if slot is not None:
            number, key = slot
            # Equal in the first half of the bytes for numbers of one hundred: the rest must be compared too.
            tokens[place] = np.frombuffer(
                (number // 100).to_bytes(16, "big") + (number % 100).to_bytes(16, "big"), dtype=np.uint8
            )
            index[place] = key
    kept = MappingProxyType({place: np.array(members) for place, members in dict(holders).items()})
    return Tokens(tokens, index, len(slots), per_record, 0, kept)


class TestMeasures:
    def test_found_wanted_and_correct(self):
        quality = pair_quality(
            pairs((0, 0), (1, 2), (3, 3)), pairs((0, 0), (1, 1), (3, 3), (4, 4)), missing_pairs=1
        )
        assert quality == Quality(predicted=3, correct=2, actual=5)
        assert quality.false == 1
        assert quality.precision == pytest.approx(2 / 3)
        assert quality.recall == pytest.approx(2 / 5)
        assert quality.f1 == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))

    def test_nothing_found_is_no_false_lead_and_no_recall(self):
        quality = pair_quality(pairs(), pairs((0, 0)))
        assert (quality.precision, quality.recall, quality.f1) == (1.0, 0.0, 0.0)

    def test_nothing_to_find(self):
        quality = pair_quality(pairs((0, 1)), pairs())
        assert (quality.precision, quality.recall, quality.f1) == (0.0, 1.0, 0.0)

    def test_pairs_that_share_records_are_told_apart(self):
        assert pair_quality(pairs((1, 10), (10, 1)), pairs((1, 1), (10, 10))).correct == 0

    def test_a_lead_is_true_when_one_of_its_pairs_is(self):
        truth = pairs((0, 0), (0, 5), (2, 2))
        quality = lead_quality(pairs((0, 0), (0, 9), (1, 1), (2, 3)), truth)
        assert quality == Quality(predicted=3, correct=1, actual=2)

    def test_figures_are_rounded_and_complete(self):
        assert Quality(3, 2, 4).figures() == {
            "found": 3,
            "correct": 2,
            "false": 1,
            "wanted": 4,
            "precision": 0.6667,
            "recall": 0.5,
            "f1": 0.5714,
        }


class TestMatching:
    def test_records_that_share_a_token_are_found_with_their_first_key(self):
        left = made([[(1, 0), (2, 1)], [(3, 1)], [(4, 0)]], 3)
        right = made([[(2, 1)], [(9, 0), (3, 1)], [(1, 0), (8, 1)]], 4)
        found = intersect(left, right)
        assert found.pairs.tolist() == [[0, 0], [0, 2], [1, 1]]
        assert found.ranks.tolist() == [1, 0, 1]
        assert found.elements.tolist() == [0, 1, 3]
        assert found.within(1).tolist() == [[0, 2]]

    def test_a_pair_with_several_tokens_counts_once_by_its_strongest_key(self):
        found = intersect(made([[(1, 4), (2, 2)]], 2), made([[(2, 2), (1, 4)]], 2))
        assert found.pairs.tolist() == [[0, 0]]
        assert found.ranks.tolist() == [2]
        assert found.elements.tolist() == [0, 1]

    def test_tokens_that_begin_alike_are_not_equal(self):
        assert intersect(made([[(101, 0)]], 1), made([[(102, 0)]], 1)).pairs.tolist() == []

    def test_shared_tokens_of_the_sender_stand_for_all_their_holders(self):
        left = made([[(7, 0)], [(7, 0)]], 1)
        right = made([[(7, 0)], [], []], 1, {0: [0, 2]})
        assert intersect(left, right).pairs.tolist() == [[0, 0], [0, 2], [1, 0], [1, 2]]

    def test_padding_never_matches(self):
        left = made([[], [(1, 0)]], 2)
        found = intersect(left, Tokens(left.tokens, left.key_index, 2, 2, 0, {}))
        assert found.pairs.tolist() == [[1, 1]]

    def test_empty_sides(self):
        found = intersect(made([[]], 1), made([[]], 1))
        assert found.pairs.shape == (0, 2)
        assert found.elements.tolist() == []

    def test_agrees_with_comparing_everything(self):
        random = np.random.default_rng(3)
        sides = []
        for _ in range(2):
            numbers = random.permutation(60)[:40].reshape(20, 2)
            sides.append([[(int(a), int(a) % 5), (int(b), int(b) % 5)] for a, b in numbers])
        found = intersect(made(sides[0], 3), made(sides[1], 3))
        brute = [
            [i, j]
            for i, ours in enumerate(sides[0])
            for j, theirs in enumerate(sides[1])
            if set(ours) & set(theirs)
        ]
        assert found.pairs.tolist() == brute


class TestRegister:
    def test_a_record_is_one_name_month(self):
        parts = [
            [{"forenames": "john", "surname": "smith"}, {"forenames": "jack", "surname": "smith"}],
            [
                {"date_of_birth": "1970-04-03"},
                {"date_of_birth": "1970-04-30"},
                {"date_of_birth": "1971-01-02"},
            ],
            [{"postcode": "B1 1AA"}],
            [{"company_number": "01234567"}],
            [{"phone": "+441234567890"}],
        ]
        assert register_parts(parts) == [
            [{"forenames": "john", "surname": "smith"}],
            [{"date_of_birth": "1970-04"}, {"date_of_birth": "1971-01"}],
            [{"postcode": "B1 1AA"}],
        ]

    def test_a_year_stays_a_year_and_nothing_stays_nothing(self):
        assert register_parts([[{"date_of_birth": "1970"}]]) == [[{"date_of_birth": "1970"}]]
        assert register_parts([]) == []

    def test_of_postcodes_only_districts_are_compared(self):
        schema = load_schema(SCHEMA)
        columns = level_digests(schema, [{"postcode": "B1 1AA", "surname": "smith"}])
        reduced = drop_below_district(schema, columns)
        says = {
            level.name for level, there in zip(schema.levels, reduced[0].any(axis=1), strict=True) if there
        }
        assert "district" in says
        assert "postcode" not in says
        assert "surname" in says
        assert columns[0].any(axis=1).sum() == len(says) + 1


class TestPicture:
    def panel(self, **changes):
        points = (Point(0.001, 1.0, 0.0), Point(0.01, 0.99, 0.5), Point(0.1, 0.9, 0.75))
        given = {
            "title": "By <share>",
            "axis": "false leads",
            "points": points,
            "current": 0.01,
            "ticks": (0.001, 0.01, 0.1),
            "logarithmic": True,
            "percent": True,
        }
        return Panel(**{**given, **changes})

    def test_it_is_svg_with_two_lines_a_panel(self):
        root = ET.fromstring(draw("left & right", [self.panel(), self.panel()]))
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}title").text == "left & right"
        assert len(root.findall(f"{SVG}polyline")) == 4

    def test_points_stand_where_their_values_say(self):
        root = ET.fromstring(draw("", [self.panel()]))
        precision, recall = [
            [tuple(map(float, place.split(","))) for place in line.get("points").split()]
            for line in root.findall(f"{SVG}polyline")
        ]
        assert [x for x, _ in precision] == pytest.approx([60, 250, 440])  # logarithmic: even steps
        assert [y for _, y in precision] == pytest.approx([80, 82.6, 106], abs=0.11)
        assert [y for _, y in recall] == pytest.approx([340, 210, 145])

    def test_labels_are_percents_or_numbers(self):
        words = {item.text for item in ET.fromstring(draw("", [self.panel()])).iter(f"{SVG}text")}
        assert {"0.1%", "1%", "10%", "By <share>"} <= words
        plain = self.panel(
            points=(Point(1, 1, 0),), ticks=(1, 5), current=1, logarithmic=False, percent=False
        )
        assert {"1", "5"} <= {item.text for item in ET.fromstring(draw("", [plain])).iter(f"{SVG}text")}

    def test_no_points_and_one_point_are_drawn_without_fault(self):
        for points in ((), (Point(0.01, 1.0, 1.0),)):
            text = draw("", [self.panel(points=points, ticks=(0.01,))])
            assert not any(math.isnan(float(x)) for x in _numbers(text))


def _numbers(text):
    return [
        value
        for item in ET.fromstring(text).iter()
        for name, value in item.items()
        if name in {"cx", "x1", "y1"}
    ]
