"""Compares what every node holds with what its declaration allows, and shows the truth beside both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blindmatch.simulations.audit.allowed import Declaration, DisclosureLevel
from blindmatch.simulations.audit.disclosed import ComparisonKey, NodeContents
from blindmatch.simulations.drivers.results import CleartextResult


@dataclass(frozen=True)
class AuditCase:
    """One finished comparison, with everything that the audit compares it with."""

    key: ComparisonKey
    agreement: str
    cleartext: CleartextResult | None
    """The result in plaintext; None where a list has changed since."""
    truth: str
    """The truth, in words."""
    own: Mapping[str, frozenset[str]]
    """By agency, the references of its list in the comparison."""
    matching: int = 0
    """For a number: records that match in plaintext, which decide whether the minimum is reached."""
    total: int = 0
    """For a sum: the sum in plaintext."""
    truths: Mapping[str, str] = field(default_factory=dict)
    """For a threshold: the truth for each member."""


@dataclass(frozen=True)
class Finding:
    """One row of the report: a party, a comparison, what it learned, what it may learn, and the truth."""

    agency: str
    comparison: str
    role: str
    learned: str
    declared: str
    truth: str


@dataclass(frozen=True)
class Violation:
    """Something that a node holds and that no declaration allows, or that differs from its declaration."""

    agency: str
    comparison: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """The result of the audit of one area."""

    findings: tuple[Finding, ...] = ()
    violations: tuple[Violation, ...] = ()
    nodes: int = 0
    """Nodes that were audited."""


def judge_nodes(
    contents: Sequence[NodeContents], declared: Sequence[Declaration], cases: Sequence[AuditCase]
) -> Verdict:
    """Compare what nodes hold with declarations and with the results in plaintext.

    Args:
        contents: what each node holds.
        declared: one declaration for every party and comparison of all agreements.
        cases: every finished comparison of every round.
    """
    by_party = {(each.agreement, each.comparison, each.agency): each for each in declared}
    by_key = {case.key: case for case in cases}
    findings: list[Finding] = []
    violations: list[Violation] = []
    for node in contents:
        for case in cases:
            declaration = by_party.get((case.agreement, case.key[1], node.agency))
            if declaration is None:
                continue
            if declaration.role != "party":
                findings.append(
                    Finding(
                        node.agency,
                        case.key[1],
                        declaration.role,
                        _learned(node, case.key),
                        declaration.words,
                        case.truths.get(node.agency, case.truth),
                    )
                )
            violations += [
                Violation(node.agency, case.key[1], what) for what in _faults(node, declaration, case)
            ]
        violations += [
            Violation(node.agency, comparison, what) for comparison, what in _unrelated(node, by_key)
        ]
        violations += [
            Violation(node.agency, edge, what)
            for (agreement, edge), references in node.check_hits.items()
            for what in _check_faults(node, by_party.get((agreement, edge, node.agency)), references, cases)
        ]
    return Verdict(tuple(findings), tuple(violations), len(contents))


def _learned(node: NodeContents, key: ComparisonKey) -> str:
    if key in node.leads:
        count = len(node.leads[key])
        return f"{count:,} of its own record{'s' if count != 1 else ''}"
    if key in node.numbers:
        return node.numbers[key].words
    return "nothing about matches"


def _faults(node: NodeContents, declaration: Declaration, case: AuditCase) -> Iterator[str]:
    leads = node.leads.get(case.key, ())
    if declaration.level is DisclosureLevel.RECORDS:
        own = case.own.get(node.agency, frozenset())
        named = {lead.reference for lead in leads}
        if strangers := named - own:
            yield f"leads name {len(strangers)} records that are not its own"
        released = {name for lead in leads for facts in lead.facts for name in facts}
        if beyond := released - {*declaration.facts}:
            yield f"leads hold facts that are not agreed: {', '.join(sorted(beyond))}"
        if case.cleartext is not None:
            yield from _lead_faults(named & own, case.cleartext.matching[node.agency])
        return
    if leads:
        yield f"holds {len(leads)} leads, and may know only {declaration.words}"
    if declaration.level is DisclosureLevel.NUMBER:
        yield from _number_faults(node, declaration, case)
    elif case.key in node.numbers:
        yield f"holds a result, and may know only {declaration.words}"
    if declaration.level is DisclosureLevel.NOTHING and case.key in node.logged:
        yield f"its audit log shows more than sizes, and it may know only {declaration.words}"


def _check_faults(
    node: NodeContents,
    declaration: Declaration | None,
    references: Sequence[str],
    cases: Sequence[AuditCase],
) -> Iterator[str]:
    """Faults in the hits of records that others submitted."""
    if (
        declaration is None
        or declaration.role != "receiver"
        or declaration.level is not DisclosureLevel.RECORDS
    ):
        yield f"holds {len(references)} hits of submitted records, and gets no result here"
        return
    own = {
        each
        for case in cases
        if case.key[1] == declaration.comparison
        for each in case.own.get(node.agency, ())
    }
    if strangers := set(references) - own:
        yield f"submitted records hit {len(strangers)} records that are not its own"


def _number_faults(node: NodeContents, declaration: Declaration, case: AuditCase) -> Iterator[str]:
    number = node.numbers.get(case.key)
    if number is None:
        yield "holds no result, and may know one"
    elif case.cleartext is not None:
        expected = declaration.disclose(case.matching, case.total)
        if number.disclosed and not expected.disclosed:
            yield f"holds a result from {case.matching} matches, under the minimum of {declaration.minimum}"
        elif number != expected:
            yield f"holds {number.words}, and the files in plaintext give {expected.words}"


def _lead_faults(named: set[str], expected: frozenset[str]) -> Iterator[str]:
    if more := named - expected:
        yield f"{len(more)} leads that the files in plaintext do not give"
    if missing := expected - named:
        yield f"{len(missing)} leads are missing that the files in plaintext give"


def _unrelated(node: NodeContents, cases: Mapping[ComparisonKey, AuditCase]) -> Iterator[tuple[str, str]]:
    """Contents that belong to no comparison of the area."""
    for key in sorted({*node.leads, *node.numbers, *node.logged} - set(cases)):
        yield key[1], "holds the outcome of a comparison that is none of this area's"
    yield from (("", f"not erased: {what}") for what in node.unexplained)
    yield from (("", f"in plaintext: {what}") for what in node.plaintext_files)
