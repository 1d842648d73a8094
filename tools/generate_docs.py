"""Draw the state diagrams out of the transition tables: what `make docs` calls.

`render()` gives the text of docs/state-diagram.md, so that a test can compare it with what is committed.
"""

from pathlib import Path

from blindmatch.protocol.match import FROM_PEER, TRANSITIONS, Event, Role, State
from blindmatch.protocol.match.table import Transitions
from blindmatch.protocol.number import TRANSITIONS as NUMBERS

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "state-diagram.md"

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
        NUMBERS,
        "The receiver masks what the sender sends, and is told one number, or that it is withheld.",
    ),
    (
        "Sender of a count or a sum",
        Role.SENDER,
        NUMBERS,
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


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
