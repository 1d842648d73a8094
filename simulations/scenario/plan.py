"""From a scenario's exchanges to comparisons between named lists: the edges and thresholds that an agreement will have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blindmatch.node.agreements.draft import edge_id
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.exchanges import ComparisonGroup, Exchange, Step, ThresholdGroup
from blindmatch.simulations.scenario.scenario import Agency, Area


@dataclass(frozen=True)
class PlannedSide:
    """One agency's side of a comparison."""

    agency: str
    list: str
    """Its key in `AreaData`."""
    kind: str
    collection: str
    """The list's name in the agency's node."""


@dataclass(frozen=True)
class PlannedEdge:
    """One edge of an agreement."""

    id: str
    receiver: PlannedSide
    sender: PlannedSide
    group: ComparisonGroup
    recipients: tuple[str, ...] = ()
    """Agencies to which the receiver reports a number."""

    @property
    def ends(self) -> tuple[PlannedSide, ...]:
        """Both sides."""
        return (self.receiver, self.sender)


@dataclass(frozen=True)
class PlannedThreshold:
    """One threshold of an agreement."""

    id: str
    members: tuple[PlannedSide, ...]
    group: ThresholdGroup
    collector: str

    @property
    def agencies(self) -> tuple[str, ...]:
        """The members' ids."""
        return tuple(end.agency for end in self.members)

    @property
    def ends(self) -> tuple[PlannedSide, ...]:
        """All sides."""
        return self.members


@dataclass(frozen=True)
class ExchangePlan:
    """One agreement: its comparisons and its parties."""

    exchange: Exchange
    edges: tuple[PlannedEdge, ...]
    thresholds: tuple[PlannedThreshold, ...]
    parties: tuple[str, ...]
    """The first one drafts."""

    @property
    def comparisons(self) -> tuple[PlannedEdge | PlannedThreshold, ...]:
        """Edges and thresholds."""
        return (*self.edges, *self.thresholds)

    def bindings(self, agency: str) -> dict[str, str]:
        """The collection that an agency binds to each of its comparisons."""
        return {
            each.id: end.collection for each in self.comparisons for end in each.ends if end.agency == agency
        }

    def received_by(self, agency: str) -> tuple[PlannedEdge, ...]:
        """The edges whose result an agency receives."""
        return tuple(edge for edge in self.edges if edge.receiver.agency == agency)

    def collected_by(self, agency: str) -> tuple[PlannedThreshold, ...]:
        """The thresholds that an agency collects."""
        return tuple(each for each in self.thresholds if each.collector == agency)


def collection_name(agency: Agency, name: str) -> str:
    """The name of a list in the agency's node."""
    each = agency.collection(name)
    return f"{agency.id}-{each.name or each.kind}"


def plan_exchange(area: Area, exchange: Exchange) -> ExchangePlan:
    """The comparisons and parties of one exchange of an area.

    Raises:
        ConfigError: it names an unknown agency, or two of its comparisons are the same.
    """
    edges = [
        PlannedEdge(
            _edge_id(receiver, sender, group), receiver, sender, group, _agencies(area, group.report_to)
        )
        for group in exchange.groups
        for receiver in _sides(area, group.receivers, group.asking)
        for sender in _sides(area, group.senders, group.answering)
        if receiver.agency != sender.agency
    ]
    thresholds = [
        PlannedThreshold(
            group.id,
            tuple(_sides(area, group.members, group.using)),
            group,
            area.agency(exchange.collector).id,
        )
        for group in exchange.thresholds
    ]
    comparisons: list[PlannedEdge | PlannedThreshold] = [*edges, *thresholds]
    ids = [each.id for each in comparisons]
    if repeated := sorted({each for each in ids if ids.count(each) > 1}):
        raise ConfigError(f"{area.id}, {exchange.id}: compared twice: {', '.join(repeated)}")
    parties = dict.fromkeys(
        [
            *(end.agency for each in comparisons for end in each.ends),
            *(name for edge in edges for name in edge.recipients),
            *([exchange.collector] if exchange.collector else []),
        ]
    )
    return ExchangePlan(exchange, tuple(edges), tuple(thresholds), tuple(parties))


def plan_area(area: Area) -> tuple[ExchangePlan, ...]:
    """The plans of all exchanges of an area.

    Raises:
        ConfigError: two exchanges have the same id, or one of them cannot be planned.
    """
    ids = [exchange.id for exchange in area.exchanges]
    if len(set(ids)) < len(ids):
        raise ConfigError(f"{area.id}: two exchanges have the same id")
    return tuple(plan_exchange(area, exchange) for exchange in area.exchanges)


def plan_steps(area: Area, planned: Sequence[ExchangePlan]) -> tuple[tuple[Step, ExchangePlan | None], ...]:
    """The steps of an area in order, each with its exchange (None for a changed list).

    Raises:
        ConfigError: a step names an unknown exchange, or names none where there are several.
    """
    if not area.steps:
        return tuple((step, plan) for plan in planned for step in _default_steps(plan))
    result: list[tuple[Step, ExchangePlan | None]] = []
    for step in area.steps:
        area.agency(step.agency)
        if step.do == "change":
            result.append((step, None))
            continue
        matching = [plan for plan in planned if step.exchange in ("", plan.exchange.id)]
        if len(matching) != 1:
            raise ConfigError(f"{area.id}: a step of {step.agency} needs one agreement; name its exchange")
        result.append((step, matching[0]))
    return tuple(result)


def _default_steps(plan: ExchangePlan) -> list[Step]:
    """Every receiver and every collector runs a round, then every recipient of reported numbers fetches them."""
    runners = dict.fromkeys(
        [*(edge.receiver.agency for edge in plan.edges), *(each.collector for each in plan.thresholds)]
    )
    recipients = dict.fromkeys(name for edge in plan.edges for name in edge.recipients)
    return [
        *(Step(do="run", agency=agency, exchange=plan.exchange.id) for agency in runners),
        *(Step(do="fetch", agency=agency, exchange=plan.exchange.id) for agency in recipients),
    ]


def _edge_id(receiver: PlannedSide, sender: PlannedSide, group: ComparisonGroup) -> str:
    suffix = group.id or (group.disclosure if group.number else "")
    return "-".join([edge_id(receiver.agency, sender.agency), *([suffix] if suffix else [])])


def _sides(area: Area, names: Iterable[str], list_name: str) -> list[PlannedSide]:
    sides = []
    for name in _agencies(area, names):
        agency = area.agency(name)
        each = agency.collection(list_name)
        sides.append(PlannedSide(name, agency.key(each), each.kind, collection_name(agency, list_name)))
    return sides


def _agencies(area: Area, names: Iterable[str]) -> tuple[str, ...]:
    """The ids of agencies that are named by id or by role."""
    result: list[str] = []
    for name in names:
        ids = [agency.id for agency in area.agencies if name in (agency.id, agency.role)]
        if not ids:
            raise ConfigError(f"{area.id}: {name} is neither an agency nor a role")
        result += ids
    return tuple(dict.fromkeys(result))
