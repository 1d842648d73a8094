"""Scenario files: which areas, agencies, sizes, mistakes and agreement a simulation has."""

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.mistakes import Mistake

FORMAT = 1
Rate = Annotated[float, Field(ge=0, le=1)]
Agency = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Police(_Part):
    """The force of an area: how many people it maps, and the format of its extract."""

    id: Agency
    name: str
    subjects: int = Field(ge=4, le=100_000)
    format: Literal["csv", "parquet"] = "csv"


class Council(_Part):
    """A council: how many suppliers its finance system lists, and the headings that the system prints."""

    id: Agency
    name: str
    suppliers: int = Field(ge=8, le=1_000_000)
    headings: Literal["standard", "finance"] = "standard"


class Area(_Part):
    """One area: a police node and at least two council nodes."""

    id: Agency
    name: str
    postcodes: str = Field(pattern=r"^[A-Z]{2}$")
    disclosure: Literal["hits", "hits+facts"] = "hits+facts"
    verified: bool = False
    police: Police
    councils: tuple[Council, ...] = Field(min_length=1)


class Links(_Part):
    """How subjects and suppliers overlap, as shares of a force's subjects per council."""

    controllers: Rate = 0.06
    """Subjects who control a company that supplies the council."""

    company_only: Rate = 0.02
    """Subjects whose police record names a supplying company that somebody else controls on paper."""

    company_known: Rate = 0.25
    """Of the controllers, how many have the company's number on their police record."""

    elsewhere: Rate = 0.12
    """Subjects with a company on record that supplies nobody here."""


class Register(_Part):
    """The register of people with significant control."""

    service_address: Rate = 0.4
    ceased: Rate = 0.12
    """Companies that also show somebody who has left."""

    corporate: Rate = 0.04
    """Companies controlled by a company."""

    unrelated: float = Field(default=0.5, ge=0, le=20)
    """Companies in the register that supply nobody, per company that does."""


class Terms(_Part):
    """What the agreements of the scenario say."""

    title: str
    purpose: str
    police_basis: str
    council_basis: str
    linkage_schema: str = "uk-person-company-2"
    marking: str = "OFFICIAL-SENSITIVE"
    handling_codes: tuple[str, ...] = ("P",)
    facts: tuple[str, ...] = ()
    receiver_tokens: int = Field(default=8, ge=1)
    """Every record of the police is padded to this number of match keys, at most."""

    sender_tokens: int = Field(default=4, ge=1)
    overlap: float = Field(default=0.05, gt=0, lt=1)
    """Expected common records as a share of the shorter list."""

    false_leads: float = Field(default=0.01, gt=0, lt=1)
    budget: int = Field(default=80, ge=1)
    """Match keys of a round, at most."""

    retention_days: int = 90
    days: int = Field(default=30, ge=1)
    rounds_budget: int = Field(default=2, ge=1)


class Scenario(_Part):
    """A whole scenario; the same scenario, seed and scale give the same files byte for byte."""

    format: Literal[1]
    name: Agency
    title: str
    notice: str = Field(min_length=40)
    """Printed on every report: says what is invented."""

    seed: int
    today: date
    terms: Terms
    links: Links = Links()
    register_: Register = Field(default=Register(), alias="register")
    mistakes: dict[Mistake, Rate]
    areas: tuple[Area, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> "Scenario":
        agencies = [
            agency for area in self.areas for agency in (area.police.id, *(c.id for c in area.councils))
        ]
        for what, names in (("agency", agencies), ("area", [area.id for area in self.areas])):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{what} named twice: {', '.join(repeated)}")
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
    folder = files("blindmatch.simulations").joinpath("scenarios")
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
            files("blindmatch.simulations").joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
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
