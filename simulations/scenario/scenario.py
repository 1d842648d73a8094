"""Scenario files: which areas, agencies, lists, mistakes, agreements and steps a simulation has."""

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.exchanges import Exchange, Identifier, Rate, ScenarioModel, Step
from blindmatch.simulations.scenario.noise_kinds import NoiseKind

FORMAT = 1
Letters = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Place(ScenarioModel):
    """A town with people of its own; its postcodes begin with two letters that the Post Office has not given out."""

    id: Identifier
    name: str
    postcodes: Letters


class Collection(ScenarioModel):
    """One list of an agency: of which kind, how long, how its file is written, and who else knows its people."""

    kind: Literal["subjects", "suppliers"]
    name: str = Field(default="", pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")
    """Only where an agency has several; taxpayers, licensees and the like are subjects or suppliers too."""

    records: int = Field(ge=4, le=1_000_000)
    format: Literal["csv", "parquet"] = "csv"
    headings: Literal["standard", "finance"] = "standard"
    prefix: str = Field(default="", pattern=r"^[A-Z]{0,8}$")
    """Of its references, so that no two agencies have one in common."""

    shares: dict[str, Rate] = Field(default_factory=dict)
    """Subjects: the share of its people who are on another list too, by that list's agency (or agency/name)."""

    linked: Rate = 1.0
    """Suppliers: how much of the scenario's share of links this list has."""

    of: str = ""
    """A few records taken out of this other list of the same agency: those it asks about."""

    known: Rate = 0.5
    """With `of`: how many of them some other agency knows as well."""


class Agency(ScenarioModel):
    """One agency: a node, its role, where its people live, and its lists; a body that only gets reports has none."""

    id: Identifier
    name: str
    role: Identifier
    place: str = ""
    """Empty: the whole area."""

    collections: tuple[Collection, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Agency":
        names = [each.name for each in self.collections]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.id} has two collections of one name; name them")
        return self

    def key(self, collection: Collection) -> str:
        """What a list is called in a world: the agency, and the list's name where it has one."""
        return f"{self.id}/{collection.name}" if collection.name else self.id

    def collection(self, name: str) -> Collection:
        """The list of this name; with no name, the first.

        Raises:
            ConfigError: there is none.
        """
        for each in self.collections:
            if name in ("", each.name):
                return each
        raise ConfigError(f"{self.id} has no list {name}" if name else f"{self.id} has no list")


class SharedPeople(ScenarioModel):
    """People who are on every one of several lists, whatever else these share."""

    lists: tuple[str, ...] = Field(min_length=2)
    """Lists of subjects, by agency or agency/name."""

    people: int = Field(ge=1)


class Area(ScenarioModel):
    """A world of its own: people, agencies, and what these agree upon and do."""

    id: Identifier
    name: str
    postcodes: Letters | None = None
    """Of the area's only place; `places` where there are several."""

    places: tuple[Place, ...] = ()
    agencies: tuple[Agency, ...] = Field(min_length=2)
    common: tuple[SharedPeople, ...] = ()
    pacts: tuple[Exchange, ...] = Field(min_length=1)
    steps: tuple[Step, ...] = ()
    """What is done after every party has signed; empty: every receiver asks once, in the pacts' order."""

    @model_validator(mode="after")
    def _complete(self) -> "Area":
        if bool(self.postcodes) == bool(self.places):
            raise ValueError("give postcodes, or places, and not both")
        places = {place.id for place in self.places}
        for agency in self.agencies:
            if agency.place and agency.place not in places:
                raise ValueError(f"{agency.id} is in {agency.place}, which is no place of {self.id}")
        return self

    @property
    def towns(self) -> tuple[Place, ...]:
        """Its places; the area itself where it names none."""
        return self.places or (Place(id=self.id, name=self.name, postcodes=self.postcodes or ""),)

    def agency(self, name: str) -> Agency:
        """One agency by its id.

        Raises:
            ConfigError: there is none.
        """
        for agency in self.agencies:
            if agency.id == name:
                return agency
        raise ConfigError(f"{name} is no agency of {self.id}")


class LinkRates(ScenarioModel):
    """How subjects and suppliers overlap, as shares of a list of subjects per list of suppliers."""

    controllers: Rate = 0.06
    """Subjects who control a company that supplies the council."""

    company_only: Rate = 0.02
    """Subjects whose police record names a supplying company that somebody else controls on paper."""

    company_known: Rate = 0.25
    """Of the controllers, how many have the company's number on their police record."""

    elsewhere: Rate = 0.12
    """Subjects with a company on record that supplies nobody here."""


class RegisterRates(ScenarioModel):
    """The register of people with significant control."""

    service_address: Rate = 0.4
    ceased: Rate = 0.12
    """Companies that also show somebody who has left."""

    corporate: Rate = 0.04
    """Companies controlled by a company."""

    unrelated: float = Field(default=0.5, ge=0, le=20)
    """Companies in the register that supply nobody, per company that does."""


class AgreementTerms(ScenarioModel):
    """What all agreements of the scenario say."""

    title: str
    purpose: str
    bases: dict[Identifier, str]
    """The legal basis of every role."""

    linkage_schema: str = "uk-person-company-2"
    marking: str = "OFFICIAL-SENSITIVE"
    handling_codes: tuple[str, ...] = ("P",)
    facts: tuple[str, ...] = ()
    """What imports of suppliers keep for release; an edge releases them where it says so."""

    tokens: dict[str, Annotated[int, Field(ge=1)]]
    """By kind of list: every record is padded to this number of match keys, at most."""

    overlap: float = Field(default=0.05, gt=0, lt=1)
    """Expected common records as a share of the shorter list."""

    false_leads: float = Field(default=0.01, gt=0, lt=1)
    budget: int = Field(default=80, ge=1)
    """Match keys of a round, at most."""

    retention_days: int = 90
    days: int = Field(default=30, ge=1)
    rounds_budget: int = Field(default=2, ge=1)


class Scenario(ScenarioModel):
    """A whole scenario; the same scenario, seed and scale give the same files byte for byte."""

    format: Literal[1]
    name: Identifier
    title: str
    notice: str = Field(min_length=40)
    """Printed on every report: says what is invented."""

    seed: int
    today: date
    terms: AgreementTerms
    links: LinkRates = LinkRates()
    register_: RegisterRates = Field(default=RegisterRates(), alias="register")
    mistakes: dict[NoiseKind, Rate]
    areas: tuple[Area, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> "Scenario":
        agencies = [agency for area in self.areas for agency in area.agencies]
        for what, names in (
            ("agency", [agency.id for agency in agencies]),
            ("area", [area.id for area in self.areas]),
        ):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{what} named twice: {', '.join(repeated)}")
        without = sorted({agency.role for agency in agencies} - set(self.terms.bases))
        if without:
            raise ValueError(f"no legal basis for the role {', '.join(without)}")
        return self

    def first(self, areas: int | None) -> "Scenario":
        """The scenario with its first `areas` areas only; None keeps all.

        Raises:
            ConfigError: fewer than one, or more than there are.
        """
        if areas is None:
            return self
        if not 1 <= areas <= len(self.areas):
            raise ConfigError(f"scenario {self.name} has {len(self.areas)} areas, not {areas}")
        return self.model_copy(update={"areas": self.areas[:areas]})


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with the program, sorted."""
    folder = files("blindmatch.simulations.scenario").joinpath("scenarios")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_scenario(name: str) -> Scenario:
    """Read a scenario that comes with the program, or a file when `name` ends with `.toml`.

    Raises:
        ConfigError: no such scenario, or the file says something wrong (all faults are listed).
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"no such scenario file: {name}")
        text = path.read_text(encoding="utf-8")
    elif name in scenario_names():
        text = (
            files("blindmatch.simulations.scenario")
            .joinpath("scenarios", f"{name}.toml")
            .read_text(encoding="utf-8")
        )
    else:
        raise ConfigError(f"no scenario {name!r}", hint=f"There are: {', '.join(scenario_names())}.")
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"scenario {name}: {error}") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigError(f"scenario {name}: {faults}") from None
