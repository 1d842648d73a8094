import importlib.util
from pathlib import Path

from blindmatch.protocol.match import TRANSITIONS

ROOT = Path(__file__).resolve().parents[2]


def _render():
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.render()


def test_the_committed_page_is_what_the_table_draws():
    assert (ROOT / "docs" / "state-diagram.md").read_text(encoding="utf-8") == _render(), "run `make docs`"


def test_every_state_stands_on_the_page():
    page = _render()
    for states in TRANSITIONS.values():
        for state in states:
            assert f"| {state} |" in page
