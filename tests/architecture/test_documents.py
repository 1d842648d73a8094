"""Every command that a document shows exists, with every option it uses."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.paths import ROOT

from blindmatch.node.cli import NOUNS, load
from blindmatch.node.imports import DEFAULT_SCHEMA
from blindmatch.protocol.linkage.rates import rate_count
from blindmatch.protocol.linkage.schema import load_schema
from blindmatch.simulations.show import COLUMNS

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            shown = line.removeprefix("$ ").strip()
            if shown.startswith("blindmatch ") and "…" not in shown:
                yield shown.partition(" #")[0].partition(" > ")[0].removesuffix("&").strip()


def verbs(here: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    below = getattr(here, "commands", None)
    if not below:
        options = {name for parameter in here.params for name in parameter.opts}
        yield (*words, *(["--json"] if "--json" in options else []))
        return
    for name, command in below.items():
        yield from verbs(command, (*words, name))


# What prints no result, or is JSON lines anyhow.
WITHOUT_JSON = {("node", "serve"), ("audit", "export")}


def test_every_command_that_prints_a_result_prints_it_as_json_too():
    every = [words for noun in NOUNS for words in verbs(load(noun), (noun,))]
    assert len(every) > 25
    assert {words for words in every if words[-1] != "--json"} == WITHOUT_JSON


def test_the_readme_shows_the_demo_as_it_is_now():
    shown = (ROOT / "README.md").read_text().partition("```text\n")[2].partition("```")[0]
    assert [line.split() for line in shown.splitlines() if line.startswith(" sender")] == [list(COLUMNS)]
    source = (ROOT / "simulations" / "show.py").read_text()
    labels = [line.partition("  ")[0] for line in shown.splitlines() if re.match(r"[a-z][a-z ]*  ", line)]
    assert "leads" in labels
    assert not [label for label in labels if f'"{label}"' not in source]


def test_every_decision_stands_in_the_index():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    decisions = sorted(folder.glob("0*.md"))
    assert decisions
    for number, path in enumerate(decisions, 1):
        first, title = path.read_text().splitlines()[0].removeprefix("# ").split(". ", 1)
        assert (path.name[:4], first) == (f"{number:04}", str(number))
        assert f"| {number} | [{title}]({path.name}) |" in index


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(path):
    for target in LINK.findall(path.read_text()):
        assert "://" in target or (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_threat_model_names_tests_that_exist():
    named = set(re.findall(r"`((?:\w+/)*test_\w+\.py)`", (ROOT / "docs" / "threat-model.md").read_text()))
    assert len(named) > 20
    files = list((ROOT / "tests").rglob("test_*.py"))
    known = {path.name for path in files} | {str(path.relative_to(ROOT / "tests")) for path in files}
    assert not named - known


def test_the_documents_state_how_many_rates_the_schema_has():
    pattern = re.compile(r"(\d+) (?:coarse |rounded )?numbers (?:about|per|of one|that say)")
    stated = {int(number) for path in DOCUMENTS for number in pattern.findall(path.read_text())}
    assert stated == {rate_count(load_schema(DEFAULT_SCHEMA))}


SHOWN = [(path.relative_to(ROOT), command) for path in DOCUMENTS for command in commands(path.read_text())]


def test_the_documents_show_commands():
    assert len(SHOWN) > 20


@pytest.mark.parametrize(("path", "command"), SHOWN, ids=lambda value: str(value)[:60])
def test_a_shown_command_exists(path, command):
    noun, *words = shlex.split(command)[1:]
    assert noun in NOUNS, f"{path}: there is no `{noun}` in `{command}`"
    here = load(noun)
    while words and getattr(here, "commands", None) and words[0] in here.commands:
        here = here.commands[words.pop(0)]
    assert not getattr(here, "commands", None) or not words, f"{path}: `{command}` has no such verb"
    known = {name for parameter in here.params for name in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
    assert used <= known, f"{path}: `{command}` uses {sorted(used - known)}"
