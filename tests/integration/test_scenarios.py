"""Scenarios of numbers and thresholds at small scale: what every party was told is what is declared, and it is right."""

import pytest

from blindmatch.node.pki import tls
from blindmatch.simulations.report import render_page, summarise
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario.scenario import load_scenario
from blindmatch.simulations.world.area import build_area

assert tls.CIPHERS_BELOW_TLS13

SEED = 5
POLICE, BOARD = "west-midlands-police", "board"


def simulate(name, folder, scale, **options):
    return run(
        load_scenario(name), Options(folder / "out", SEED, scale, record_wire=folder / "wire", **options)
    )


@pytest.fixture(scope="module")
def midlands(tmp_path_factory):
    return simulate("west-midlands", tmp_path_factory.mktemp("midlands"), 0.3)


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    return simulate("regions", tmp_path_factory.mktemp("regions"), 0.2)


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    return simulate("necc", tmp_path_factory.mktemp("centre"), 0.2)


def learned(outcome, agency):
    return [f for area in outcome.areas for f in area.verdict.findings if f.agency == agency]


def test_the_board_learns_numbers_in_bands_and_nothing_else(midlands):
    assert midlands.violations == ()
    findings = learned(midlands, BOARD)
    assert {finding.role for finding in findings} == {"recipient"}
    assert len(findings) == 14
    told = {finding.comparison: finding.learned for finding in findings}
    for number in midlands.numbers:
        assert number.edge.recipients == (BOARD,)
        assert (
            told[f"{POLICE}-from-{number.edge.sender.agency}-{number.edge.group.disclosure}"]
            == number.number.words
        )


def test_numbers_are_exact_in_their_bands_and_withheld_below_the_minimum(midlands):
    counts = [number for number in midlands.numbers if number.edge.group.disclosure == "count"]
    sums = [number for number in midlands.numbers if number.edge.group.disclosure == "sum"]
    assert len(counts) == len(sums) == 7
    assert any(number.number.disclosed for number in counts)
    assert any(not number.number.disclosed for number in counts)
    for number in counts:
        assert number.number.disclosed == (number.exact >= number.edge.group.minimum)
        if number.number.disclosed:
            assert number.number.low <= number.exact <= number.number.high
            assert number.number.high % number.edge.group.band == number.edge.group.band - 1
    for number in sums:
        if number.number.disclosed:
            assert number.number.low == number.number.high == number.exact
            assert number.exact % number.edge.group.band == 0


def test_only_the_force_has_leads_and_only_where_hits_are_agreed(midlands):
    asked = {(c.receiver, c.sender) for c in midlands.comparisons}
    assert asked == {(POLICE, council) for council in ("birmingham", "coventry", "sandwell")}
    for council in ("birmingham", "solihull"):
        assert {finding.learned for finding in learned(midlands, council)} == {"nothing about matches"}


def test_a_threshold_tells_members_of_their_own_records_and_the_collector_a_number(regions):
    assert regions.violations == ()
    (tally,) = regions.tallies
    assert tally.threshold.collector == "national-crime-agency"
    assert tally.tally.disclosed == (tally.exact >= tally.threshold.group.minimum)
    assert tally.tally.low == tally.exact // tally.threshold.group.band * tally.threshold.group.band
    shared = [c for c in regions.comparisons if c.disclosure == "threshold"]
    assert {c.receiver for c in shared} == set(tally.threshold.agencies)
    assert sum(len(c.true) for c in shared) >= 6
    assert sum(len(c.false) for c in shared) <= 1
    assert {f.role for f in learned(regions, tally.threshold.collector)} == {"collector"}


def test_councils_are_asked_by_their_own_regions_forces(regions):
    asked = {(c.receiver, c.sender) for c in regions.comparisons if c.disclosure != "threshold"}
    assert len(asked) == 9
    assert ("merseyside-police", "liverpool-city-council") in asked
    assert ("merseyside-police", "bristol-city-council") not in asked


def test_eight_parties_each_learn_their_part(centre):
    assert centre.violations == ()
    assert sum(area.verdict.nodes for area in centre.areas) == 8
    assert {c.disclosure for c in centre.comparisons} == {"hits", "hits+facts", "threshold"}
    assert {(n.edge.receiver.agency, n.edge.sender.agency) for n in centre.numbers} == {
        ("hmrc", "home-office"),
        ("cps", "sfo"),
    }
    for agency in ("fca", "home-office"):
        assert {finding.learned for finding in learned(centre, agency)} == {"nothing about matches"}
    (area,) = centre.areas
    assert area.receipts == 8


def test_a_standing_agreement_sends_changes_only_and_finds_the_same(centre):
    before, after = [
        c for c in centre.comparisons if c.receiver == "west-yorkshire-police" and c.sender == "fca"
    ]
    assert (before.delta, after.delta) == (0, 1)
    assert after.traffic.total("received") < before.traffic.total("received") / 3
    scenario = load_scenario("necc")
    area_data = build_area(scenario, scenario.areas[0], seed=SEED, scale=0.2)
    for comparison, then in ((before, area_data), (after, area_data.changed("fca"))):
        truth = {pair.receiver for pair in then.truth("west-yorkshire-police", "fca")}
        assert set(comparison.true) <= truth
        assert len(comparison.missed) <= 2


def test_single_records_hit_where_they_are_known(centre):
    (area,) = centre.areas
    assert {(each.check.agency, each.check.edge.receiver.agency) for each in area.checks} == {
        ("fca", "west-yorkshire-police"),
        ("west-yorkshire-police", "west-yorkshire-police"),
    }
    assert len(area.checks) == 8
    known = [each for each in area.checks if each.check.known]
    assert known
    assert sum(bool(each.hits) for each in known) >= len(known) - 1
    assert sum(bool(each.hits) for each in area.checks if not each.check.known) <= 1


@pytest.mark.parametrize("name", ["midlands", "regions", "centre"])
def test_reports_tell_it(name, request):
    outcome = request.getfixturevalue(name)
    text, summary = render_page(outcome), summarise(outcome)
    assert "Declarations are violated" not in text
    (area,) = summary["result"]["areas"]
    assert len(area.get("numbers", [])) == len(outcome.numbers)
    assert len(area.get("thresholds", [])) == len(outcome.tallies)
    for number in outcome.numbers:
        assert number.number.words in text
    for tally in outcome.tallies:
        assert f"at least {tally.threshold.group.at_least} of" in text
