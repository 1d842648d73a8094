"""What `make docs` draws of rooms, calls and tables: the committed pages are what the code is now."""

import importlib.util

import pytest
from tests.support.paths import ROOT

from blindmatch.node.storage.store.tables import metadata
from blindmatch.node.transport.policy import POLICY


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(
        "architecture_docs", ROOT / "tools" / "architecture_docs.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_what_the_code_is_now(tool):
    for path, text in tool.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_every_method_of_the_policy_is_on_the_page(tool):
    ours = [name for name in POLICY if name.startswith("/blindmatch.")]
    assert len(tool.calls().splitlines()) == 2 + len(ours)


def test_every_table_and_column_has_a_description_and_a_writer(tool):
    page = tool.tables()
    writers = tool._writers()
    for table in metadata.sorted_tables:
        assert f"### `{table.name}`" in page
        assert all(column.info.get(tool.DESCRIPTION) for column in table.columns), table.name
        assert table.name == "schema_version" or writers.get(table.name), f"nothing writes {table.name}"


def test_a_room_without_a_docstring_would_be_seen(tool):
    for part in tool.PARTS:
        assert all(text.endswith(".") for text in tool.rooms(part).values()), part
