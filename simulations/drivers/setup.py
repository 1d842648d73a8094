"""An area that is ready to be deployed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.simulations.drivers.deploy import INPUTS, REGISTER, InputList, Site, write_list
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import ExchangePlan, plan_area, plan_steps
from blindmatch.simulations.scenario.scenario import Scenario
from blindmatch.simulations.world.area import AreaData


@dataclass(frozen=True)
class AreaSetup:
    """An area that is ready to be deployed: input files are written, nothing else exists."""

    scenario: Scenario
    area_data: AreaData
    """As it begins."""
    sites: tuple[Site, ...]
    authority: Path
    """The authority's folder."""
    passphrase: str = field(repr=False)
    record_wire: Path | None = None
    """The folder of recorded messages, with a folder per agency."""
    cluster: Mapping[str, str | int] | None = None
    """The Ray cluster that does every node's arithmetic, as in `node.toml`; None: each node does its own."""

    @property
    def plans(self) -> tuple[ExchangePlan, ...]:
        """The area's agreements."""
        return plan_area(self.area_data.area)

    @property
    def steps(self) -> tuple[tuple[Step, ExchangePlan | None], ...]:
        """The steps after every party has signed."""
        return plan_steps(self.area_data.area, self.plans)

    def change(self, area_data: AreaData, step: Step) -> tuple[AreaData, InputList]:
        """Write the file of a list that a step changes; returns the data after that, and the list to import."""
        agency = area_data.area.agency(step.agency)
        collection = agency.collection(step.collection)
        after = area_data.changed(agency.key(collection))
        return after, write_list(after, agency, collection, self.register)

    @property
    def register(self) -> Path:
        """The area's register, beside its agencies' files."""
        return self.sites[0].home.parent / INPUTS / REGISTER

    def wire_folder(self, agency: str) -> Path | None:
        """Where the messages of an agency's node are recorded; None: nowhere."""
        return None if self.record_wire is None else self.record_wire / agency

    def site(self, agency: str) -> Site:
        """The site of one agency."""
        return next(site for site in self.sites if site.agency == agency)
