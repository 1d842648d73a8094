"""`report.html`: one self-contained page for an officer, without scripts and without files from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from blindmatch.simulations.audit.lead_scores import LINKS, Score, by_kind, by_link, describe_kind
from blindmatch.simulations.audit.outcome import SimulationOutcome
from blindmatch.simulations.drivers.results import ReportedLead
from blindmatch.simulations.report.comparisons import area_tables
from blindmatch.simulations.report.disclosures import disclosure_tables
from blindmatch.simulations.report.markup import bar, octets, percent, plural, quiet, table
from blindmatch.simulations.report.summary import summarise, traffic_total

EXAMPLES = 12
"""Number of missed and false leads on the page; `summary.json` has all."""

MESSAGES = {
    "PrepareRequest": "how common values are in the receiver's list, signed",
    "PrepareReply": "how common values are in the sender's list, signed",
    "OpenRequest": "start of the comparison, with a signed commitment",
    "OpenReply": "progress, then the sender's signed commitment",
    "BlindedChunk": "the receiver's elements, blinded",
    "EvaluatedChunk": "the same points, evaluated with the sender's key",
    "TagsRequest": "request for the table of tags",
    "TagChunk": "the sender's tags, sorted, with any sealed facts",
    "CloseRequest": "receipt, signed by the receiver",
    "CloseReply": "receipt, signed by the sender",
}


def _tiles(outcome: SimulationOutcome, score: Score) -> str:
    tiles = {
        "Areas": f"{len(outcome.areas)}",
        "Agencies, each with a node": f"{outcome.nodes}",
        "Comparisons": f"{score.comparisons + len(outcome.numbers)}",
        "Elements compared": f"{outcome.elements:,}",
        "Leads": f"{score.leads}",
        "False leads, expected": f"{score.expected_false:.1f}",
        "False leads, actual": f"{score.false}",
        "Precision": percent(score.precision),
        "Recall": percent(score.recall),
        "Undeclared disclosures": f"{len(outcome.violations)}",
        "Receipts signed by all": f"{outcome.receipts}",
        "Network traffic": octets(traffic_total(outcome).total()),
    }
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items()
    )


def _shares(caption: str, heading: str, counts: Iterable[tuple[str, tuple[int, int]]]) -> str:
    rows = [(words, true, of, bar(true / of, f"{true} of {of}")) for words, (true, of) in counts]
    return table((heading,), ("Matched", "Of", "Share"), rows, caption=caption)


def _examples(
    title: str, words: str, texts: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[object]]
) -> str:
    more = quiet(f"{len(rows) - EXAMPLES} more in summary.json") if len(rows) > EXAMPLES else ""
    examples = table(texts, numbers, rows[:EXAMPLES]) + more if rows else ""
    return f"<h3>{escape(title)}</h3><p>{escape(words)}</p>{examples}"


def _probability(lead: ReportedLead) -> str:
    """Never 100 %, because a model is never certain."""
    return f"{min(lead.posterior, 0.9999):.2%}"


def _missed(outcome: SimulationOutcome) -> str:
    rows = [
        (subject, comparison.sender, describe_kind(kind))
        for comparison in outcome.comparisons
        for subject, kind in comparison.missed.items()
    ]
    words = "A missed record is one that no match key reaches. The receiver cannot learn this from the round."
    return _examples("Missed", words, ("Receiver's reference", "Sender", "Reason"), (), rows) if rows else ""


def _leads(outcome: SimulationOutcome) -> str:
    """A selection of true and false leads in the form that an officer gets, the most probable first."""
    leads = [
        (lead, comparison.sender)
        for comparison in outcome.comparisons
        for lead in (*comparison.true.values(), *comparison.false.values())
    ]
    leads.sort(key=lambda each: (-each[0].posterior, -each[0].score, each[0].subject))
    rows = [
        (
            lead.subject,
            sender,
            "; ".join(lead.keys),
            "; ".join(" ".join(facts.values()) for facts in lead.facts[:2]),
            _probability(lead),
        )
        for lead, sender in leads[:: max(1, len(leads) // EXAMPLES)][:EXAMPLES]
    ]
    return table(
        ("Receiver's reference", "Sender", "Agreeing keys", "Released facts"), ("Probability",), rows
    )


def _false_leads(outcome: SimulationOutcome) -> str:
    rows = [
        (subject, comparison.sender, "; ".join(lead.keys), _probability(lead))
        for comparison in outcome.comparisons
        for subject, lead in comparison.false.items()
    ]
    expected = f"The model expected {Score.of(outcome.comparisons).expected_false:.1f} in this run."
    words = (
        "These keys agree, yet the two records do not belong together: another person has the same name and month of birth, "
        f"or a number is wrong in a file. This is why an officer reviews every lead. {expected}"
        if rows
        else "None in this run. At these sizes, two people with the same name who were born in the same month are rare. "
        + expected
    )
    columns = ("Receiver's reference", "Sender", "Agreeing keys")
    return _examples("False leads", words, columns, ("Probability",), rows)


def _traffic(outcome: SimulationOutcome) -> str:
    traffic = traffic_total(outcome)
    rows = []
    for name, count in sorted(traffic.messages.items()):
        direction, _, kind = name.partition(" ")
        words = f"{kind}: {MESSAGES[kind]}" if kind in MESSAGES else kind
        towards = "receiver to sender" if direction == "sent" else "sender to receiver"
        rows.append((words, towards, count, traffic.octets[name]))
    caption = "Messages and bytes of all areas"
    return table(("Message", "Direction"), ("Messages", "Bytes"), rows, caption=caption)


def render_page(outcome: SimulationOutcome) -> str:
    """The page as text. Every value that is not this module's own text is escaped."""
    template = Template(
        files("blindmatch.simulations.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    command = f"blindmatch simulate {outcome.scenario} --areas {len(outcome.areas)} --seed {outcome.seed} --scale {outcome.scale:g}"
    where = "each node in its own process" if outcome.processes else "all nodes in one process, over loopback"
    kinds = ((describe_kind(kind), counts) for kind, counts in by_kind(outcome.comparisons).items())
    links = ((LINKS[link], counts) for link, counts in by_link(outcome.comparisons).items())
    values = {
        "title": escape(outcome.title),
        "subtitle": escape(
            f"{plural(len(outcome.areas), 'area')}; real nodes, gRPC with mutual TLS; {where}."
        ),
        "notice": escape(outcome.notice),
        "tiles": _tiles(outcome, Score.of(outcome.comparisons)),
        "learned": disclosure_tables(outcome),
        "areas": "".join(f"<h3>{escape(area.name)}</h3>{area_tables(area)}" for area in outcome.areas),
        "kinds": _shares("Matched records, by difference between the files", "Difference", kinds),
        "links": _shares("Matched records, by what links them", "Link", links),
        "leads": _leads(outcome),
        "missed": _missed(outcome),
        "false_leads": _false_leads(outcome),
        "traffic": _traffic(outcome),
        "command": escape(command),
        "fingerprint": escape(summarise(outcome)["result_sha256"][:16]),
        "timing": escape(f"This run took {outcome.seconds:.0f} seconds from empty folders to this page."),
    }
    return template.substitute(values)


def write_page(path: Path, outcome: SimulationOutcome) -> None:
    """Write the page."""
    path.write_text(render_page(outcome), encoding="utf-8")
