"""The page's table of who learned what: per party and comparison what it learned, what is declared, and the truth."""

from collections.abc import Iterable
from html import escape

from blindmatch.simulations.audit.outcome import AreaOutcome, SimulationOutcome
from blindmatch.simulations.audit.verdict import Finding
from blindmatch.simulations.report.markup import row, table

_HEADINGS = tuple((name, False) for name in ("Comparison", "Part", "Learned", "Declared", "Truth"))


def disclosure_tables(outcome: SimulationOutcome) -> str:
    """All areas, a fold per party."""
    return _violations(outcome) + "".join(
        _area(area, several=len(outcome.areas) > 1) for area in outcome.areas
    )


def _violations(outcome: SimulationOutcome) -> str:
    nodes = sum(area.verdict.nodes for area in outcome.areas)
    if not outcome.violations:
        return (
            f"<p>After the last step every node was looked into: {nodes} nodes, with their stores, audit logs and what "
            "files were left. None holds anything beyond what its agreements declare, and every result is the one that "
            "the files give in the clear.</p>"
        )
    rows = [
        row([(escape(each.agency), False), (escape(each.comparison), False), (escape(each.what), False)])
        for each in outcome.violations
    ]
    headings = tuple((name, False) for name in ("Party", "Comparison", "What its node holds"))
    return (
        '<p class="notice"><strong>Declarations are violated.</strong> What these nodes hold, no agreement allows, or '
        f"it is not the result that the files give.</p>{table(headings, rows)}"
    )


def _area(area: AreaOutcome, *, several: bool) -> str:
    parties: dict[str, list[Finding]] = {}
    for finding in area.verdict.findings:
        parties.setdefault(finding.agency, []).append(finding)
    head = f"<h3>{escape(area.name)}</h3>" if several else ""
    return head + "".join(_party(agency, findings) for agency, findings in parties.items())


def _party(agency: str, findings: Iterable[Finding]) -> str:
    rows = [
        row(
            [
                (escape(text), False)
                for text in (each.comparison, each.role, each.learned, each.declared, each.truth)
            ]
        )
        for each in findings
    ]
    count = f"{len(rows)} comparison{'s' if len(rows) != 1 else ''}"
    return f"<details><summary>{escape(agency)}: {count}</summary>{table(_HEADINGS, rows)}</details>"
