"""Worlds of several places: who lives where, who is on several lists, and lists that change."""

import json

import pytest

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.drivers.single_checks import choose_checks
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import plan_area
from blindmatch.simulations.scenario.scenario import load_scenario
from blindmatch.simulations.world import input_files
from blindmatch.simulations.world.area import build_area


@pytest.fixture(scope="module")
def regions():
    scenario = load_scenario("regions")
    return build_area(scenario, scenario.areas[0], seed=2, scale=0.4)


@pytest.fixture(scope="module")
def centre():
    scenario = load_scenario("necc")
    return build_area(scenario, scenario.areas[0], seed=2, scale=0.4)


def test_ids_run_on_from_town_to_town(regions):
    numbers = [person.id for town in regions.towns for person in town.people]
    assert numbers == list(range(len(numbers)))
    for town in regions.towns:
        person = town.people[len(town.people) // 2]
        assert town.person(person.id) == person
        assert person in town.household(person)


def test_a_force_maps_people_of_its_place_and_those_whom_others_know(regions):
    letters = {place.id: place.postcodes for place in regions.area.towns}
    common = {name for each in regions.area.common for name in each.lists}
    people = {person.id: person for town in regions.towns for person in town.people}
    for agency in regions.area.agencies:
        if agency.role != "police":
            continue
        assert agency.id in common
        homes = [people[s.person].postcode[:2] for s in regions.subjects[agency.id]]
        assert homes.count(letters[agency.place]) > 0.8 * len(homes)


def test_people_in_common_are_on_every_list_that_names_them(regions):
    for common in regions.area.common:
        lists = [{subject.person for subject in regions.subjects[name]} for name in common.lists]
        assert len(set.intersection(*lists)) >= max(1, round(common.people * 0.4))


def test_the_register_says_where_controllers_live(regions, tmp_path):
    input_files.write_register(tmp_path / "psc.txt", regions.companies, regions.towns)
    towns = set()
    for line in (tmp_path / "psc.txt").read_text(encoding="utf-8").splitlines():
        data = json.loads(line)["data"]
        if data["kind"].startswith("individual"):
            towns.add(data["address"]["locality"])
    assert towns == {"South West", "North West", "Eastern"}


def test_a_list_loses_and_gains_as_many_records_when_it_changes(centre):
    after = centre.changed("fca")
    before, then = ({row.reference for row in area_data.suppliers["fca"]} for area_data in (centre, after))
    assert len(before - then) == len(then - before) == round(20 * 0.4)
    assert after.suppliers["home-office"] == centre.suppliers["home-office"]
    assert after.changed("fca").suppliers == after.suppliers


def test_a_list_changes_once(centre):
    scenario = load_scenario("necc")
    area = scenario.areas[0]
    twice = (*area.steps, Step(do="change", agency="fca", records=4))
    with pytest.raises(ConfigError, match="changes twice"):
        build_area(scenario, area.model_copy(update={"steps": twice}), seed=2, scale=0.1)


def test_records_to_check_are_those_that_will_join_some_known_and_some_not(centre, tmp_path):
    (tmp_path / "input").mkdir()
    register = tmp_path / "input" / "register.txt"
    plan = next(each for each in plan_area(centre.area) if each.exchange.standing)
    step = Step(do="check", agency="fca", records=4)
    asked = choose_checks(centre, plan, step, register)
    joining = {row.reference for row in centre.changed("fca").suppliers["fca"]}
    joining -= {row.reference for row in centre.suppliers["fca"]}
    assert len(asked) == 4
    assert {each.reference for each in asked} <= joining
    assert not asked[-1].known
    for each in asked:
        assert each.submits
        assert len(each.path.read_text(encoding="utf-8").splitlines()) == 2
    own = choose_checks(centre, plan, Step(do="check", agency="west-yorkshire-police", records=4), register)
    assert [each.known for each in own] == [True, True, False, False]
    assert not any(each.submits for each in own)


def test_shares_name_an_earlier_list():
    scenario = load_scenario("gain")
    area = scenario.areas[0]
    backwards = area.model_copy(update={"agencies": area.agencies[::-1]})
    with pytest.raises(ConfigError, match="not an earlier list"):
        build_area(scenario, backwards, seed=1, scale=0.1)
