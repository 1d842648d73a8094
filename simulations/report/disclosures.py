"""The page's tables of what each party learned: per comparison what it learned, what is declared, and the truth."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from blindmatch.simulations.audit.outcome import AreaOutcome, SimulationOutcome
from blindmatch.simulations.report.markup import plural, table


def disclosure_tables(outcome: SimulationOutcome) -> str:
    """All areas, with a section that folds for every party."""
    several = len(outcome.areas) > 1
    return _violations(outcome) + "".join(
        part for area in outcome.areas for part in _area(area, several=several)
    )


def _violations(outcome: SimulationOutcome) -> str:
    if not outcome.violations:
        return (
            f"<p>After the last step every node was audited: {plural(outcome.nodes, 'node')}, each with its store, its audit "
            "log and the files of its rounds. No node holds anything beyond what its agreements declare, and every result "
            "equals the result that the files give in plaintext.</p>"
        )
    rows = [(each.agency, each.comparison, each.what) for each in outcome.violations]
    return (
        '<p class="notice"><strong>Declarations are violated.</strong> No agreement allows what these nodes hold, or '
        f"it is not the result that the files give.</p>{table(('Party', 'Comparison', 'Violation'), (), rows)}"
    )


def _area(area: AreaOutcome, *, several: bool) -> Iterator[str]:
    if several:
        yield f"<h3>{escape(area.name)}</h3>"
    for agency, findings in groupby(area.verdict.findings, lambda finding: finding.agency):
        rows = [(each.comparison, each.role, each.learned, each.declared, each.truth) for each in findings]
        columns = ("Comparison", "Role", "Learned", "Declared", "Truth")
        summary = f"{escape(agency)}: {plural(len(rows), 'comparison')}"
        yield f"<details><summary>{summary}</summary>{table(columns, (), rows)}</details>"
