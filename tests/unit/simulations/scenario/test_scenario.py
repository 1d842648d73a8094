"""Scenario files are read strictly, and the pilot is what the documentation says."""

import re
import tomllib
from importlib.resources import files

import pytest

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.scenario import load_scenario, scenario_names


def scenario_text(name: str) -> str:
    folder = files("blindmatch.simulations.scenario") / "scenarios"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def pilot_text() -> str:
    return scenario_text("pilot")


def test_the_pilot_has_seven_areas_each_with_two_councils_or_more():
    scenario = load_scenario("pilot")
    assert len(scenario.areas) == 7
    for area in scenario.areas:
        assert area.agencies[0].role == "police"
        assert sum(agency.role == "council" for agency in area.agencies) >= 2


def test_the_pilot_says_that_it_is_invented():
    assert "invented" in load_scenario("pilot").notice
    assert "invented" in pilot_text().split("[", 1)[0]


def test_the_pilot_has_every_disclosure_format_and_heading():
    areas = load_scenario("pilot").areas
    groups = [group for area in areas for exchange in area.exchanges for group in exchange.groups]
    lists = [each for area in areas for agency in area.agencies for each in agency.collections]
    assert {group.disclosure for group in groups} == {"hits", "hits+facts"}
    assert {group.verified for group in groups} == {False, True}
    assert {each.format for each in lists} == {"csv", "parquet"}
    assert {each.headings for each in lists} == {"standard", "finance"}


def test_scenarios_are_listed():
    assert "pilot" in scenario_names()


def test_every_mistake_of_the_file_is_known():
    assert set(tomllib.loads(pilot_text())["noise"]) <= {kind.value for kind in NoiseKind}


@pytest.mark.parametrize("areas", [1, 3, 7])
def test_first_areas(areas):
    scenario = load_scenario("pilot")
    assert scenario.first(areas).areas == scenario.areas[:areas]


@pytest.mark.parametrize("areas", [0, 8, -1])
def test_more_areas_than_there_are(areas):
    with pytest.raises(ConfigError, match="7 areas"):
        load_scenario("pilot").first(areas)


def test_all_areas():
    scenario = load_scenario("pilot")
    assert scenario.first(None) is scenario


def test_unknown_scenario_names_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        load_scenario("nowhere")
    assert "pilot" in caught.value.hint


def test_missing_file():
    with pytest.raises(ConfigError, match="no such scenario file"):
        load_scenario("/nonexistent/scenario.toml")


def test_a_file_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(pilot_text().replace('name = "pilot"', 'name = "mine"', 1), encoding="utf-8")
    assert load_scenario(str(path)).name == "mine"


def test_a_file_with_the_old_field_names_is_read(tmp_path):
    text = scenario_text("necc")
    path = tmp_path / "old.toml"
    old = text.replace("[noise]", "[mistakes]").replace("areas.exchanges", "areas.pacts")
    path.write_text(re.sub(r"\bexchange = ", "pact = ", old), encoding="utf-8")
    assert path.read_text() != text
    assert load_scenario(str(path)) == load_scenario("necc")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format"),
        ("records = 320", "records = 0", "records"),
        ('role = "council"', 'role = "clerk"', "no legal basis for the role clerk"),
        ('senders = ["council"], disclosure', 'answers = ["council"], disclosure', "answers"),
        ('postcodes = "AE"', "", "give either postcodes or places"),
        ("nickname = 0.08", "nickname = 1.5", "nickname"),
        ("nickname = 0.08", "nickname-typo = 0.08", "noise"),
        ('id = "brackenfell-police"', 'id = "ashmoor-police"', "ashmoor-police"),
        ('id = "brackenfell"', 'id = "ashmoor"', "area defined twice"),
        ('postcodes = "AE"', 'postcodes = "A"', "postcodes"),
        ("retention_days = 90", "retention = 90", "retention"),
        ("seed = 20170301", "seed = = 3", "scenario"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, old, new, words):
    assert old in pilot_text()
    path = tmp_path / "wrong.toml"
    path.write_text(pilot_text().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_scenario(str(path))
