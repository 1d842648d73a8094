"""Draw the state diagrams out of the transition tables, and who learns what out of the agreement's words: `make docs`.

`render()` gives the text of docs/state-diagram.md and `leakage()` a section of docs/agreement.md, so that tests can compare
them with what is committed.
"""

from pathlib import Path

from blindmatch.node.agreements.groups import alike
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import LISTING, NUMBERS, Disclosure, Edge, Side, Threshold
from blindmatch.protocol.match import FROM_PEER, TRANSITIONS, Event, Role, State
from blindmatch.protocol.match.table import Transitions
from blindmatch.protocol.number import TRANSITIONS as OF_NUMBERS

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "state-diagram.md"
AGREEMENT = ROOT / "docs" / "agreement.md"
BEGIN, END = "<!-- made by `make docs`: begin -->", "<!-- made by `make docs`: end -->"
SIZE = 1_000
"""Of the examples' lists; the page says nothing of it."""

HEAD = """# The states of one edge

Drawn from `TRANSITIONS` in `protocol/match/table.py` and `protocol/number/table.py` by `make docs`; a test compares this page with the
tables.

Any exception leads to `failed` from every state but `closed`, and wipes the edge's secrets; that arrow is left out.
Below each diagram stands what a state accepts without leaving it: work that takes many steps, and whatever came
before and comes again after a crash. Everything else is refused: with the code `wrong-state` where the peer caused it (set in
*italics*), and as a defect of our own where not.
"""

Part = tuple[str, Role, Transitions, str]
PARTS: tuple[Part, ...] = (
    (
        "Receiver",
        Role.RECEIVER,
        TRANSITIONS,
        "The receiver learns which of its own elements the sender holds.",
    ),
    (
        "Sender",
        Role.SENDER,
        TRANSITIONS,
        "The sender learns the receiver's number of elements, and nothing about any of them.",
    ),
    (
        "Receiver of a count or a sum",
        Role.RECEIVER,
        OF_NUMBERS,
        "The receiver masks what the sender sends, and is told one number, or that it is withheld.",
    ),
    (
        "Sender of a count or a sum",
        Role.SENDER,
        OF_NUMBERS,
        "The sender counts what matches, without knowing what it is, and tells what the agreement lets through.",
    ),
)


def _words(event: Event) -> str:
    return f"*{event}*" if event in FROM_PEER else str(event)


def _diagram(role: Role, table: Transitions) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.PREPARING}"]
    for state, events in table[role].items():
        lines += [
            f"    {state} --> {after}: {event}" for event, after in events.items() if after is not state
        ]
    return [*lines, f"    {State.CLOSED} --> [*]", "```"]


def _staying(role: Role, table: Transitions) -> list[str]:
    lines = ["| state | stays there on |", "|---|---|"]
    for state, events in table[role].items():
        words = [_words(event) for event, after in events.items() if after is state]
        lines.append(f"| {state} | {', '.join(words) or 'nothing'} |")
    return lines


def render() -> str:
    """The page's text."""
    lines = [HEAD]
    for title, role, table, sentence in PARTS:
        lines += [f"## {title}", "", sentence, "", *_diagram(role, table), "", *_staying(role, table), ""]
    return "\n".join(lines)


def leakage() -> str:
    """The table of who learns what: one row per disclosure and role, in the words that the parties sign."""
    lines = ["| disclosure | who | learns |", "|---|---|---|"]
    for disclosure in (*LISTING, *NUMBERS):
        (group,) = alike([_example(disclosure)])
        words = group.words()
        lines += [
            f"| `{disclosure.value}` | {role} | {_general(words[f'{role}_learns'])} |"
            for role in ("receiver", "sender")
        ]
    members = tuple(Side(name, "subjects", SIZE, 1) for name in ("a", "b", "c"))
    threshold = Threshold("shared", members, at_least=2, leakage="example")
    lines += [
        f"| `threshold` | member | {_general(terms.member_learns(threshold))} |",
        f"| `threshold` | collector | {_general(terms.collector_learns(threshold, 'the collector'))} |",
        f"| every one | both sides | {terms.both_learn()} |",
        f"| standing | both sides | {terms.standing_learn()} |",
    ]
    return "\n".join(lines)


def _example(disclosure: Disclosure) -> Edge:
    """An edge with the usual terms: a minimum of 5, told exactly."""
    number = disclosure in NUMBERS
    facts = disclosure is Disclosure.HITS_FACTS
    return Edge(
        id="example",
        receiver=Side("a", "subjects", SIZE, 1),
        sender=Side("b", "suppliers", SIZE, 1),
        disclosure=disclosure,
        facts=("contract_reference",) if facts else (),
        fact_bytes=64 if facts else 0,
        minimum_count=5 if number else 0,
        band=1 if number else 0,
        value="contract_value" if disclosure is Disclosure.SUM else "",
        leakage="example",
    )


def _general(words: str) -> str:
    """Without the example's size."""
    words = words.replace(f" (at most {SIZE:,})", "").replace("Each of a, b, c", "Each of three members")
    return words[0].upper() + words[1:]


def with_leakage(page: str) -> str:
    """The page with the table as it is now between its two marks."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{leakage()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
    AGREEMENT.write_text(with_leakage(AGREEMENT.read_text(encoding="utf-8")), encoding="utf-8")
