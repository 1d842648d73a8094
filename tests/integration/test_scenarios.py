"""Scenarios of numbers and thresholds at small scale: what every party was told is what is declared, and it is right."""

import pytest

from blindmatch.node import tls
from blindmatch.simulations.report import render_page, summarise
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario import load_scenario

assert tls.CIPHERS_BELOW_TLS13

SEED = 5


def simulate(name, folder, scale, **options):
    return run(
        load_scenario(name), Options(folder / "out", SEED, scale, record_wire=folder / "wire", **options)
    )


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    return simulate("regions", tmp_path_factory.mktemp("regions"), 0.2)


def learned(outcome, agency):
    return [f for area in outcome.areas for f in area.verdict.findings if f.agency == agency]


def test_a_threshold_tells_members_of_their_own_records_and_the_collector_a_number(regions):
    assert regions.violations == ()
    (tally,) = regions.tallies
    assert tally.collector == "national-crime-agency"
    assert tally.told.told == (tally.clear >= tally.minimum)
    assert tally.told.low == tally.clear // tally.band * tally.band
    shared = [c for c in regions.comparisons if c.disclosure == "threshold"]
    assert {c.receiver for c in shared} == set(tally.members)
    assert sum(len(c.found) for c in shared) >= 6
    assert sum(len(c.false) for c in shared) <= 1
    assert {f.role for f in learned(regions, tally.collector)} == {"collector"}


def test_councils_are_asked_by_their_own_regions_forces(regions):
    asked = {(c.receiver, c.sender) for c in regions.comparisons if c.disclosure != "threshold"}
    assert len(asked) == 9
    assert ("merseyside-police", "liverpool-city-council") in asked
    assert ("merseyside-police", "bristol-city-council") not in asked


@pytest.mark.parametrize("name", ["regions"])
def test_reports_tell_it(name, request):
    outcome = request.getfixturevalue(name)
    text, summary = render_page(outcome), summarise(outcome)
    assert "Declarations are violated" not in text
    (area,) = summary["result"]["areas"]
    assert len(area.get("numbers", [])) == len(outcome.numbers)
    assert len(area.get("thresholds", [])) == len(outcome.tallies)
    for number in outcome.numbers:
        assert number.told.words in text
    for tally in outcome.tallies:
        assert f"at least {tally.at_least} of" in text
