"""What `make docs` draws: the committed pages are what the tables and the words make now."""

import importlib.util

from tests.support.paths import ROOT

from blindmatch.protocol.aggregate import transitions as aggregate
from blindmatch.protocol.agreement import EDGE_TERMS
from blindmatch.protocol.hits import transitions as hits
from blindmatch.protocol.threshold import transitions as threshold


def _tool():
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _render():
    return _tool().render()


def test_the_committed_page_is_what_the_table_draws():
    assert (ROOT / "docs" / "state-diagram.md").read_text(encoding="utf-8") == _render(), "run `make docs`"


def test_every_state_stands_on_the_page():
    page = _render()
    for tables in (hits.TRANSITIONS, aggregate.TRANSITIONS, threshold.TRANSITIONS):
        for states in tables.values():
            for state in states:
                assert f"| {state} |" in page


def test_the_committed_table_of_who_learns_what_is_in_the_words_that_are_signed():
    page = (ROOT / "docs" / "agreement.md").read_text(encoding="utf-8")
    assert page == _tool().with_tables(page), "run `make docs`"


def test_who_learns_what_has_a_row_per_disclosure_and_role():
    rows = [line.split(" | ")[:2] for line in _tool().leakage().splitlines()[2:]]
    told = [(disclosure.strip("| `"), role) for disclosure, role in rows]
    edges = [each.value for each in EDGE_TERMS]
    assert told == [(each, role) for each in edges for role in ("receiver", "sender")] + [
        ("threshold", "member"),
        ("threshold", "collector"),
        ("threshold", "collector that is a member"),
        ("every one", "both sides"),
        ("standing", "both sides"),
    ]
    assert len({line.split(" | ")[2] for line in _tool().leakage().splitlines()[2:]}) >= len(told) - 1
