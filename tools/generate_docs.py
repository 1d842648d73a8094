"""Draw the state diagrams out of the transition tables, and who learns what out of the agreement's words: `make docs`.

`render()` gives the text of docs/state-diagram.md and `leakage()` a section of docs/agreement.md, so that tests can compare
them with what is committed.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from blindmatch.node.agreements.edge_groups import group_edges
from blindmatch.node.agreements.fields import documentation
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.aggregate import transitions as aggregate
from blindmatch.protocol.agreement import EDGE_TERMS, Disclosure, Edge, Side, Threshold, edge_terms
from blindmatch.protocol.hits import transitions as hits
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.threshold import transitions as threshold

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "state-diagram.md"
AGREEMENT = ROOT / "docs" / "agreement.md"
SCHEMA = "uk-person-company-2"
BEGIN, END = "<!-- made by `make docs`: {}, begin -->", "<!-- made by `make docs`: {}, end -->"
SIZE = 1_000
"""Of the examples' lists; the page says nothing of it."""

HEAD = """# The states of one edge, and of one threshold

Drawn by `make docs` from the tables `TRANSITIONS` in `protocol/hits/transitions.py`, `protocol/aggregate/transitions.py` and
`protocol/threshold/transitions.py`; a test compares this page with the tables.

Any exception leads to `failed` from every state but `closed`, and wipes the edge's secrets; that arrow is omitted.
The table below each diagram lists the events that a state accepts and that do not leave it: work of many steps, and messages
that are retransmitted after a crash. A state refuses every other event: with the code `wrong-state` if the peer causes it (in
*italics*), and as a defect of this node otherwise.
"""

States = Mapping[StrEnum, Mapping[StrEnum, StrEnum]]
Part = tuple[str, Mapping[StrEnum, States], StrEnum, frozenset[StrEnum], str]
PARTS: tuple[Part, ...] = (
    (
        "Receiver",
        hits.TRANSITIONS,
        Role.RECEIVER,
        hits.FROM_PEER,
        "The receiver learns which of its own elements the sender holds.",
    ),
    (
        "Sender",
        hits.TRANSITIONS,
        Role.SENDER,
        hits.FROM_PEER,
        "The sender learns the receiver's number of elements, and nothing about any of them.",
    ),
    (
        "Receiver of a count or a sum",
        aggregate.TRANSITIONS,
        Role.RECEIVER,
        aggregate.FROM_PEER,
        "The receiver masks the sender's points, and learns one number, or that it is withheld.",
    ),
    (
        "Sender of a count or a sum",
        aggregate.TRANSITIONS,
        Role.SENDER,
        aggregate.FROM_PEER,
        "The sender counts the matches without learning which they are, and discloses what the agreement permits.",
    ),
    (
        "Member of a threshold",
        threshold.TRANSITIONS,
        threshold.ThresholdRole.MEMBER,
        threshold.FROM_PEER,
        "A threshold's member learns which of its own elements enough members hold.",
    ),
    (
        "Collector of a threshold",
        threshold.TRANSITIONS,
        threshold.ThresholdRole.COLLECTOR,
        threshold.FROM_PEER,
        "A threshold's collector relays messages, and learns which members hold each element that enough members hold.",
    ),
)


def _diagram(states: States) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.PREPARING}"]
    for state, events in states.items():
        lines += [
            f"    {state} --> {after}: {event}" for event, after in events.items() if after is not state
        ]
    return [*lines, f"    {State.CLOSED} --> [*]", "```"]


def _staying(states: States, from_peer: frozenset[StrEnum]) -> list[str]:
    lines = ["| state | events that do not leave it |", "|---|---|"]
    for state, events in states.items():
        staying = [event for event, after in events.items() if after is state]
        words = [f"*{event}*" if event in from_peer else str(event) for event in staying]
        lines.append(f"| {state} | {', '.join(words) or 'nothing'} |")
    return lines


def render() -> str:
    """The page's text."""
    lines = [HEAD]
    for title, tables, role, from_peer, sentence in PARTS:
        states = tables[role]
        lines += [f"## {title}", "", sentence, ""]
        lines += [*_diagram(states), "", *_staying(states, from_peer), ""]
    return "\n".join(lines)


def leakage() -> str:
    """The table of who learns what: one row per disclosure and role, in the words that the parties sign."""
    lines = ["| disclosure | who | learns |", "|---|---|---|"]
    for disclosure in EDGE_TERMS:
        (group,) = group_edges([_example(disclosure)])
        words = group.words()
        lines += [
            f"| `{disclosure.value}` | {role} | {_general(words[f'{role}_learns'])} |"
            for role in ("receiver", "sender")
        ]
    members = tuple(Side(name, "subjects", SIZE, 1) for name in ("a", "b", "c"))
    threshold = Threshold("shared", members, at_least=2, leakage="example")
    lines += [
        f"| `threshold` | member | {_general(threshold.member_learns())} |",
        f"| `threshold` | collector | {_general(threshold.collector_learns('the collector'))} |",
        f"| `threshold` | collector that is a member | {_general(_as_member(threshold))} |",
        f"| every one | both sides | {terms.both_learn(SCHEMA)} |",
        f"| standing | both sides | {terms.standing_learn()} |",
    ]
    return "\n".join(lines)


def _as_member(threshold: Threshold) -> str:
    """The collector's sentence when it is one of the members."""
    return threshold.collector_learns("a").replace("a collects", "The collector collects", 1)


def _example(disclosure: Disclosure) -> Edge:
    """An edge with the usual terms: a minimum of 5, told exactly."""
    usual = {"facts": ("contract_reference",), "value": "contract_value"}
    names = EDGE_TERMS[disclosure].names()
    return Edge(
        id="example",
        receiver=Side("a", "subjects", SIZE, 1),
        sender=Side("b", "suppliers", SIZE, 1),
        terms=edge_terms(disclosure, {name: value for name, value in usual.items() if name in names}),
        leakage="example",
    )


def _general(words: str) -> str:
    """Without the example's size."""
    words = words.replace(f" (at most {SIZE:,})", "").replace("Each of a, b, c", "Each of three members")
    return words[0].upper() + words[1:]


def fields() -> str:
    """The table of every field of a draft."""
    rows = [f"| `{path}` | {meaning} | {allowed} |" for path, meaning, allowed in documentation()]
    return "\n".join(["| field | meaning | allowed values |", "|---|---|---|", *rows])


def with_tables(page: str) -> str:
    """The page with each table as it is now between its two marks."""
    for name, table in (("leakage", leakage()), ("fields", fields())):
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = page.partition(begin)
        page = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
    AGREEMENT.write_text(with_tables(AGREEMENT.read_text(encoding="utf-8")), encoding="utf-8")
