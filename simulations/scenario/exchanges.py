"""What agencies of a scenario agree upon and do: groups of comparisons, as a scenario file writes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0, le=1)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]


class ScenarioModel(BaseModel):
    """A part of a scenario file: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ComparisonGroup(ScenarioModel):
    """One comparison for each of the receivers with each of the senders; nobody with itself.

    Agencies are named by id, or all of a role at once.
    """

    id: str = Field(default="", pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")
    """Stands at the end of its edges' ids; needed where two agencies compare several lists."""

    receivers: tuple[Identifier, ...] = Field(min_length=1)
    senders: tuple[Identifier, ...] = Field(min_length=1)
    asking: str = ""
    """The name of the receivers' list; empty: their first."""

    answering: str = ""
    """The name of the senders' list."""

    disclosure: Literal["hits", "hits+facts", "count", "sum"] = "hits"
    verified: bool = False
    minimum: int = Field(default=5, ge=3)
    """Counts and sums: fewer matching records than this give no result."""

    band: int = Field(default=1, ge=1)
    value: str = ""
    """Sums: the fact that is added up."""

    report_to: tuple[Identifier, ...] = ()
    overlap: float | None = Field(default=None, gt=0, lt=1)
    """Where it is not the scenario's own."""

    @property
    def number(self) -> bool:
        """The receiver learns one number, not which."""
        return self.disclosure in {"count", "sum"}


class ThresholdGroup(ScenarioModel):
    """A threshold: what at least so many of the members hold."""

    id: Identifier
    members: tuple[Identifier, ...] = Field(min_length=1)
    using: str = ""
    """The name of the members' list; empty: their first."""

    at_least: int = Field(ge=2)
    minimum: int = Field(default=3, ge=1)
    band: int = Field(default=1, ge=1)


class StandingTerms(ScenarioModel):
    """The parties compare again and again."""

    epoch_days: int = Field(ge=1)
    checks_per_day: int = Field(default=0, ge=0)


class Exchange(ScenarioModel):
    """One agreement."""

    id: Identifier = "agreement"
    title: str = ""
    """Where it is not the scenario's own; so `purpose`."""

    purpose: str = ""
    groups: tuple[ComparisonGroup, ...] = ()
    thresholds: tuple[ThresholdGroup, ...] = ()
    collector: str = ""
    standing: StandingTerms | None = None
    rounds_budget: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _something(self) -> "Exchange":
        if not self.groups and not self.thresholds:
            raise ValueError(f"{self.id} compares nothing: give groups or thresholds")
        if self.thresholds and not self.collector:
            raise ValueError(f"{self.id} has a threshold and no collector")
        return self


class Step(ScenarioModel):
    """One thing that an agency does, after every party has signed."""

    do: Literal["run", "fetch", "change", "check"]
    """fetch: get the counts and sums that are reported to the agency."""

    agency: Identifier
    pact: str = ""
    """All but change: the agreement; empty: the only one."""

    collection: str = ""
    """change: the list that is written and imported again; empty: the agency's first."""

    records: int = Field(default=0, ge=0)
    """change: how many records join, and how many go; check: how many are asked about, one by one."""
