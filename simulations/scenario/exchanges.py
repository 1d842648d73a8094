"""The agreements and steps of a scenario file: groups of comparisons, thresholds, and what each agency does."""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0, le=1)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]


class ScenarioModel(BaseModel):
    """A part of a scenario file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ComparisonGroup(ScenarioModel):
    """One comparison for each of the receivers with each of the senders, but none of an agency with itself.

    Agencies are named by id, or all of a role at once.
    """

    id: str = Field(default="", pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")
    """The suffix of its edges' ids; required where two agencies compare several lists."""

    receivers: tuple[Identifier, ...] = Field(min_length=1)
    senders: tuple[Identifier, ...] = Field(min_length=1)
    asking: str = ""
    """The name of the receivers' list; empty: their first."""

    answering: str = ""
    """The name of the senders' list."""

    disclosure: Literal["hits", "hits+facts", "count", "sum"] = "hits"
    verified: bool = False
    minimum: int = Field(default=5, ge=3)
    """For counts and sums: with fewer matching records the number is withheld."""

    band: int = Field(default=1, ge=1)
    value: str = ""
    """For sums: the fact that is summed."""

    report_to: tuple[Identifier, ...] = ()
    overlap: float | None = Field(default=None, gt=0, lt=1)
    """Overrides the scenario's overlap."""

    @property
    def number(self) -> bool:
        """Whether the receiver learns one number, and not which records match."""
        return self.disclosure in {"count", "sum"}


class ThresholdGroup(ScenarioModel):
    """A threshold: the records that at least so many of the members hold."""

    id: Identifier
    members: tuple[Identifier, ...] = Field(min_length=1)
    using: str = ""
    """The name of the members' list; empty: their first."""

    at_least: int = Field(ge=2)
    minimum: int = Field(default=3, ge=1)
    band: int = Field(default=1, ge=1)


class StandingTerms(ScenarioModel):
    """The terms of a standing agreement, under which the parties compare repeatedly."""

    epoch_days: int = Field(ge=1)
    checks_per_day: int = Field(default=0, ge=0)


class Exchange(ScenarioModel):
    """One agreement."""

    id: Identifier = "agreement"
    title: str = ""
    """Overrides the scenario's title."""

    purpose: str = ""
    """Overrides the scenario's purpose."""

    groups: tuple[ComparisonGroup, ...] = ()
    thresholds: tuple[ThresholdGroup, ...] = ()
    collector: str = ""
    standing: StandingTerms | None = None
    rounds_budget: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> "Exchange":
        if not self.groups and not self.thresholds:
            raise ValueError(f"{self.id} compares nothing: give groups or thresholds")
        if self.thresholds and not self.collector:
            raise ValueError(f"{self.id} has a threshold and no collector")
        return self


class Step(ScenarioModel):
    """One action of an agency after every party has signed."""

    do: Literal["run", "fetch", "change", "check"]
    """`run`: start a round; `fetch`: get the counts and sums that are reported to the agency; `change`: replace a list;
    `check`: compare single records."""

    agency: Identifier
    exchange: str = Field(default="", validation_alias=AliasChoices("exchange", "pact"))
    """The agreement, except for `change`; empty: the only one. `pact` is the old name."""

    collection: str = ""
    """For `change`: the list that is written and imported again; empty: the agency's first."""

    records: int = Field(default=0, ge=0)
    """For `change`: the number of records that are added, and of those that are removed; for `check`: the number that is checked."""
