"""From a scenario's pacts to comparisons between named lists: which edges and thresholds an agreement will have."""

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
    """Its key in the world."""
    kind: str
    collection: str
    """What the list is called in the agency's node."""


@dataclass(frozen=True)
class PlannedEdge:
    """One edge of an agreement."""

    id: str
    receiver: PlannedSide
    sender: PlannedSide
    group: ComparisonGroup
    told: tuple[str, ...] = ()
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
    joint: ThresholdGroup
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
    """One agreement: what it compares, and who is party to it."""

    pact: Exchange
    edges: tuple[PlannedEdge, ...]
    thresholds: tuple[PlannedThreshold, ...]
    parties: tuple[str, ...]
    """The first one drafts."""

    @property
    def comparisons(self) -> tuple[PlannedEdge | PlannedThreshold, ...]:
        """Edges and thresholds."""
        return (*self.edges, *self.thresholds)

    def bindings(self, agency: str) -> dict[str, str]:
        """The node's collection for each comparison on which an agency has a side."""
        return {
            each.id: end.collection for each in self.comparisons for end in each.ends if end.agency == agency
        }

    def edge(self, name: str) -> PlannedEdge:
        """One edge by its id."""
        return next(edge for edge in self.edges if edge.id == name)

    def received_by(self, agency: str) -> tuple[PlannedEdge, ...]:
        """The edges of which an agency gets the result."""
        return tuple(edge for edge in self.edges if edge.receiver.agency == agency)

    def collected_by(self, agency: str) -> tuple[PlannedThreshold, ...]:
        """The thresholds that an agency collects."""
        return tuple(each for each in self.thresholds if each.collector == agency)


def collection_name(agency: Agency, name: str) -> str:
    """What a list is called in the agency's node."""
    each = agency.collection(name)
    return f"{agency.id}-{each.name or each.kind}"


def plan_exchange(area: Area, pact: Exchange) -> ExchangePlan:
    """What a pact of an area comes to.

    Raises:
        ConfigError: it names nobody, or two of its comparisons are the same.
    """
    edges = [
        PlannedEdge(
            _edge_id(receiver, sender, group), receiver, sender, group, _agencies(area, group.report_to)
        )
        for group in pact.groups
        for receiver in _ends(area, group.receivers, group.asking)
        for sender in _ends(area, group.senders, group.answering)
        if receiver.agency != sender.agency
    ]
    thresholds = [
        PlannedThreshold(
            joint.id, tuple(_ends(area, joint.members, joint.using)), joint, area.agency(pact.collector).id
        )
        for joint in pact.thresholds
    ]
    comparisons: list[PlannedEdge | PlannedThreshold] = [*edges, *thresholds]
    ids = [each.id for each in comparisons]
    if repeated := sorted({each for each in ids if ids.count(each) > 1}):
        raise ConfigError(f"{area.id}, {pact.id}: compared twice: {', '.join(repeated)}")
    named = [end.agency for each in comparisons for end in each.ends]
    told = [name for edge in edges for name in edge.told]
    parties = dict.fromkeys([*named, *told, *([pact.collector] if pact.collector else [])])
    return ExchangePlan(pact, tuple(edges), tuple(thresholds), tuple(parties))


def plan_area(area: Area) -> tuple[ExchangePlan, ...]:
    """All agreements of an area."""
    ids = [pact.id for pact in area.pacts]
    if len(set(ids)) < len(ids):
        raise ConfigError(f"{area.id}: two pacts have one id")
    return tuple(plan_exchange(area, pact) for pact in area.pacts)


def plan_steps(area: Area, agreed: Sequence[ExchangePlan]) -> tuple[tuple[Step, ExchangePlan | None], ...]:
    """What is done, in order, and under which agreement.

    Raises:
        ConfigError: a step names an agreement that there is not.
    """
    if not area.steps:
        return tuple((step, each) for each in agreed for step in _usual(each))
    done: list[tuple[Step, ExchangePlan | None]] = []
    for step in area.steps:
        area.agency(step.agency)
        if step.do == "change":
            done.append((step, None))
            continue
        found = [each for each in agreed if step.pact in ("", each.pact.id)]
        if len(found) != 1:
            raise ConfigError(f"{area.id}: a step of {step.agency} needs one agreement; name its pact")
        done.append((step, found[0]))
    return tuple(done)


def _usual(agreed: ExchangePlan) -> list[Step]:
    """Every receiver asks, every collector collects, then everybody who is told of numbers fetches them."""
    asking = dict.fromkeys(
        [
            *(edge.receiver.agency for edge in agreed.edges),
            *(threshold.collector for threshold in agreed.thresholds),
        ]
    )
    told = dict.fromkeys(name for edge in agreed.edges for name in edge.told)
    return [
        *(Step(do="run", agency=agency, pact=agreed.pact.id) for agency in asking),
        *(Step(do="fetch", agency=agency, pact=agreed.pact.id) for agency in told),
    ]


def _edge_id(receiver: PlannedSide, sender: PlannedSide, group: ComparisonGroup) -> str:
    ending = group.id or (group.disclosure if group.number else "")
    return "-".join([edge_id(receiver.agency, sender.agency), *([ending] if ending else [])])


def _ends(area: Area, names: Iterable[str], using: str) -> list[PlannedSide]:
    ends = []
    for name in _agencies(area, names):
        agency = area.agency(name)
        each = agency.collection(using)
        ends.append(PlannedSide(name, agency.key(each), each.kind, collection_name(agency, using)))
    return ends


def _agencies(area: Area, names: Iterable[str]) -> tuple[str, ...]:
    """Ids as they are, roles as all who have them."""
    found: list[str] = []
    for name in names:
        meant = [agency.id for agency in area.agencies if name in (agency.id, agency.role)]
        if not meant:
            raise ConfigError(f"{area.id}: {name} is neither an agency nor a role")
        found += meant
    return tuple(dict.fromkeys(found))
