"""Holds what every node learned against what its declaration allows, and sets the truth beside both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blindmatch.simulations.audit.allowed import Declaration, DisclosureLevel
from blindmatch.simulations.audit.disclosed import ComparisonKey, NodeContents
from blindmatch.simulations.drivers.results import CleartextResult


@dataclass(frozen=True)
class AuditCase:
    """One finished comparison, with everything that it is judged by."""

    key: ComparisonKey
    agreement: str
    clear: CleartextResult | None
    """The result in the clear; None where a list has changed since."""
    truth: str
    """What there is to find, in words."""
    own: Mapping[str, frozenset[str]]
    """By agency, the references of the list that it brought; empty for those who brought none."""
    matching: int = 0
    """For a number: records that match in the clear, by which the minimum is judged."""
    total: int = 0
    """For a sum: its addends in the clear."""
    truths: Mapping[str, str] = field(default_factory=dict)
    """For a threshold: what there is to find for each member."""


@dataclass(frozen=True)
class Finding:
    """One row of the report: a party, a comparison, what it learned, what it may, and how it is in truth."""

    agency: str
    comparison: str
    role: str
    learned: str
    declared: str
    truth: str


@dataclass(frozen=True)
class Violation:
    """Something that a node holds and that no declaration allows, or that differs from what it declares."""

    agency: str
    comparison: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """Of one area."""

    findings: tuple[Finding, ...] = ()
    violations: tuple[Violation, ...] = ()
    nodes: int = 0
    """Nodes that were looked into."""


def judge_nodes(
    holdings: Sequence[NodeContents], declared: Sequence[Declaration], cases: Sequence[AuditCase]
) -> Verdict:
    """Compare what nodes hold with declarations and with the results in the clear.

    Args:
        holdings: of every node.
        declared: for every party and comparison of all agreements.
        cases: every finished comparison of every round.
    """
    said = {(each.agreement, each.comparison, each.agency): each for each in declared}
    by_key = {case.key: case for case in cases}
    findings: list[Finding] = []
    violations: list[Violation] = []
    for held in holdings:
        for case in cases:
            declaration = said.get((case.agreement, case.key[1], held.agency))
            if declaration is None:
                continue
            if declaration.role != "party":
                findings.append(
                    Finding(
                        held.agency,
                        case.key[1],
                        declaration.role,
                        _learned(held, case.key),
                        declaration.words,
                        case.truths.get(held.agency, case.truth),
                    )
                )
            violations += [
                Violation(held.agency, case.key[1], what) for what in _faults(held, declaration, case)
            ]
        violations += [Violation(held.agency, comparison, what) for comparison, what in _at_all(held, by_key)]
        violations += [
            Violation(held.agency, edge, what)
            for (agreement, edge), references in held.checked.items()
            for what in _checked(held, said.get((agreement, edge, held.agency)), references, cases)
        ]
    return Verdict(tuple(findings), tuple(violations), len(holdings))


def _learned(held: NodeContents, key: ComparisonKey) -> str:
    if key in held.leads:
        count = len(held.leads[key])
        return f"{count:,} of its own record{'s' if count != 1 else ''}"
    if key in held.numbers:
        return held.numbers[key].words
    return "nothing of matches"


def _faults(held: NodeContents, declaration: Declaration, case: AuditCase) -> Iterator[str]:
    leads = held.leads.get(case.key, ())
    if declaration.knows is DisclosureLevel.RECORDS:
        own = case.own.get(held.agency, frozenset())
        named = {lead.reference for lead in leads}
        if strangers := named - own:
            yield f"leads name {len(strangers)} records that are not its own"
        if beyond := {name for lead in leads for facts in lead.facts for name in facts} - {
            *declaration.facts
        }:
            yield f"leads hold facts that are not agreed: {', '.join(sorted(beyond))}"
        if case.clear is not None:
            yield from _difference(named & own, case.clear.matching[held.agency])
        return
    if leads:
        yield f"holds {len(leads)} leads, and may know {declaration.words}"
    if declaration.knows is DisclosureLevel.NUMBER:
        yield from _number(held, declaration, case)
    elif case.key in held.numbers:
        yield f"holds a result, and may know {declaration.words}"
    if declaration.knows is DisclosureLevel.NOTHING and case.key in held.counted:
        yield f"its audit log tells more than sizes, and it may know {declaration.words}"


def _checked(
    held: NodeContents, declaration: Declaration | None, references: Sequence[str], cases: Sequence[AuditCase]
) -> Iterator[str]:
    """What records that others submitted have hit."""
    if (
        declaration is None
        or declaration.role != "receiver"
        or declaration.knows is not DisclosureLevel.RECORDS
    ):
        yield f"holds {len(references)} hits of submitted records, and gets no result here"
        return
    own = {
        each
        for case in cases
        if case.key[1] == declaration.comparison
        for each in case.own.get(held.agency, ())
    }
    if strangers := set(references) - own:
        yield f"submitted records hit {len(strangers)} records that are not its own"


def _number(held: NodeContents, declaration: Declaration, case: AuditCase) -> Iterator[str]:
    told = held.numbers.get(case.key)
    if told is None:
        yield "holds no result, and may know one"
    elif case.clear is not None:
        wanted = declaration.tell(case.matching, case.total)
        if told.told and not wanted.told:
            yield f"holds a result from {case.matching} matches, under the minimum of {declaration.minimum}"
        elif told != wanted:
            yield f"holds {told.words}, and the files in the clear give {wanted.words}"


def _difference(named: Iterable[str], wanted: frozenset[str]) -> Iterator[str]:
    found = frozenset(named)
    if more := found - wanted:
        yield f"{len(more)} leads that the files in the clear do not give"
    if missing := wanted - found:
        yield f"{len(missing)} leads are missing that the files in the clear give"


def _at_all(held: NodeContents, cases: Mapping[ComparisonKey, AuditCase]) -> Iterator[tuple[str, str]]:
    """What no comparison has to do with."""
    for key in sorted({*held.leads, *held.numbers, *held.counted} - set(cases)):
        yield key[1], "holds the outcome of a comparison that is none of this area's"
    yield from (("", f"left behind: {what}") for what in held.unexplained)
    yield from (("", f"in the clear: {what}") for what in held.in_the_clear)
