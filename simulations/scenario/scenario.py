"""Scenario files: the areas, agencies, lists, noise, agreements and steps of a simulation."""

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, ValidationError, model_validator

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.exchanges import Exchange, Identifier, Rate, ScenarioModel, Step
from blindmatch.simulations.scenario.noise_kinds import NoiseKind

FORMAT = 1
Letters = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Place(ScenarioModel):
    """A town with people of its own; its postcodes start with two letters that the Post Office has not assigned."""

    id: Identifier
    name: str
    postcodes: Letters


class Collection(ScenarioModel):
    """One list of an agency: its kind, its size, the form of its file, and the people that it shares with other lists."""

    kind: Literal["subjects", "suppliers"]
    name: str = Field(default="", pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")
    """Required only where an agency has several lists. Taxpayers and licensees are subjects or suppliers too."""

    records: int = Field(ge=4, le=1_000_000)
    format: Literal["csv", "parquet"] = "csv"
    headings: Literal["standard", "finance"] = "standard"
    prefix: str = Field(default="", pattern=r"^[A-Z]{0,8}$")
    """The prefix of its references, so that no two agencies use the same reference."""

    shares: dict[str, Rate] = Field(default_factory=dict)
    """For subjects: the share of its people who are on another list too, by that list's agency (or agency/name)."""

    linked: Rate = 1.0
    """For suppliers: this list's links as a share of the scenario's."""

    of: str = ""
    """The name of another list of the same agency, from which a few records are taken to be asked about."""

    known: Rate = 0.5
    """With `of`: the share of them that some other agency holds too."""


class Agency(ScenarioModel):
    """One agency: a node, its role, the place of its people, and its lists. A body that only gets reports has no list."""

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
            raise ValueError(f"{self.id} has two collections with the same name; give each its own")
        return self

    def key(self, collection: Collection) -> str:
        """The key of a list in `AreaData`: the agency, and the list's name where it has one."""
        return f"{self.id}/{collection.name}" if collection.name else self.id

    def collection(self, name: str) -> Collection:
        """The list with this name; without a name, the first.

        Raises:
            ConfigError: there is none.
        """
        for each in self.collections:
            if name in ("", each.name):
                return each
        raise ConfigError(f"{self.id} has no list {name}" if name else f"{self.id} has no list")


class SharedPeople(ScenarioModel):
    """People who are on each of several lists, besides those that the lists share by `shares`."""

    lists: tuple[str, ...] = Field(min_length=2)
    """Lists of subjects, by agency or agency/name."""

    people: int = Field(ge=1)


class Area(ScenarioModel):
    """A separate population with its agencies, their agreements and their steps."""

    id: Identifier
    name: str
    postcodes: Letters | None = None
    """Postcode letters of the area's only place; use `places` where there are several."""

    places: tuple[Place, ...] = ()
    agencies: tuple[Agency, ...] = Field(min_length=2)
    common: tuple[SharedPeople, ...] = ()
    exchanges: tuple[Exchange, ...] = Field(min_length=1, validation_alias=AliasChoices("exchanges", "pacts"))
    """`pacts` is the old name."""

    steps: tuple[Step, ...] = ()
    """The steps after every party has signed; empty: every receiver runs one round, in the order of the exchanges."""

    @model_validator(mode="after")
    def _complete(self) -> "Area":
        if bool(self.postcodes) == bool(self.places):
            raise ValueError("give either postcodes or places")
        places = {place.id for place in self.places}
        for agency in self.agencies:
            if agency.place and agency.place not in places:
                raise ValueError(f"{agency.id} is in {agency.place}, which is not a place of {self.id}")
        return self

    @property
    def towns(self) -> tuple[Place, ...]:
        """Its places; without places, the area itself."""
        return self.places or (Place(id=self.id, name=self.name, postcodes=self.postcodes or ""),)

    def agency(self, name: str) -> Agency:
        """One agency by its id.

        Raises:
            ConfigError: there is none.
        """
        for agency in self.agencies:
            if agency.id == name:
                return agency
        raise ConfigError(f"{name} is not an agency of {self.id}")


class LinkRates(ScenarioModel):
    """The overlap of subjects and suppliers, as shares of a list of subjects per list of suppliers."""

    controllers: Rate = 0.06
    """Subjects who control a company that supplies the council."""

    company_only: Rate = 0.02
    """Subjects whose police record names a supplying company that another person controls on paper."""

    company_known: Rate = 0.25
    """The share of the controllers who have the company's number on their police record."""

    elsewhere: Rate = 0.12
    """Subjects with a company on record that supplies none of the agencies."""


class RegisterRates(ScenarioModel):
    """The register of people with significant control."""

    service_address: Rate = 0.4
    ceased: Rate = 0.12
    """Companies that also show a former controller."""

    corporate: Rate = 0.04
    """Companies controlled by a company."""

    unrelated: float = Field(default=0.5, ge=0, le=20)
    """Companies in the register that supply none of the agencies, per company that does."""


class AgreementTerms(ScenarioModel):
    """The terms of all agreements of the scenario."""

    title: str
    purpose: str
    bases: dict[Identifier, str]
    """The legal basis of every role."""

    linkage_schema: str = "uk-person-company-2"
    marking: str = "OFFICIAL-SENSITIVE"
    handling_codes: tuple[str, ...] = ("P",)
    facts: tuple[str, ...] = ()
    """Facts that imports of suppliers store; an edge with `hits+facts` releases them."""

    tokens: dict[str, Annotated[int, Field(ge=1)]]
    """By kind of list: the largest number of match keys per record, to which records are padded."""

    overlap: float = Field(default=0.05, gt=0, lt=1)
    """Expected common records as a share of the shorter list."""

    false_leads: float = Field(default=0.01, gt=0, lt=1)
    budget: int = Field(default=80, ge=1)
    """The largest number of match keys of a round."""

    retention_days: int = 90
    days: int = Field(default=30, ge=1)
    rounds_budget: int = Field(default=2, ge=1)


class Scenario(ScenarioModel):
    """A whole scenario; the same scenario, seed and scale give the same files byte for byte."""

    format: Literal[1]
    name: Identifier
    title: str
    notice: str = Field(min_length=40)
    """A statement of what is invented, for every report."""

    seed: int
    today: date
    terms: AgreementTerms
    links: LinkRates = LinkRates()
    register_: RegisterRates = Field(default=RegisterRates(), alias="register")
    noise: dict[NoiseKind, Rate] = Field(validation_alias=AliasChoices("noise", "mistakes"))
    """The share of records with each kind of noise. `mistakes` is the old name."""

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
                raise ValueError(f"{what} defined twice: {', '.join(repeated)}")
        without = sorted({agency.role for agency in agencies} - set(self.terms.bases))
        if without:
            raise ValueError(f"no legal basis for the role {', '.join(without)}")
        return self

    def first(self, areas: int | None) -> "Scenario":
        """The scenario with its first `areas` areas only; None: all areas.

        Raises:
            ConfigError: fewer than one, or more than there are.
        """
        if areas is None:
            return self
        if not 1 <= areas <= len(self.areas):
            raise ConfigError(f"scenario {self.name} has {len(self.areas)} areas, not {areas}")
        return self.model_copy(update={"areas": self.areas[:areas]})


def scenario_names() -> tuple[str, ...]:
    """The names of the built-in scenarios, sorted."""
    folder = files("blindmatch.simulations.scenario").joinpath("scenarios")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_scenario(name: str) -> Scenario:
    """Read a built-in scenario, or a file when `name` ends with `.toml`.

    Raises:
        ConfigError: there is no such scenario, or the file is invalid (all faults are listed).
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
        raise ConfigError(f"no scenario {name!r}", hint=f"Available: {', '.join(scenario_names())}.")
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"scenario {name}: {error}") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigError(f"scenario {name}: {faults}") from None
