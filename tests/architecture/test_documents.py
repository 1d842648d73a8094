"""Every command that a document shows exists, with every option it uses."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from blindmatch.node.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            shown = line.removeprefix("$ ").strip()
            if shown.startswith("blindmatch ") and "…" not in shown:
                yield shown.partition(" #")[0].partition(" > ")[0].removesuffix("&").strip()


SHOWN = [(path.relative_to(ROOT), command) for path in DOCUMENTS for command in commands(path.read_text())]


def test_the_documents_show_commands():
    assert len(SHOWN) > 20


@pytest.mark.parametrize(("path", "command"), SHOWN, ids=lambda value: str(value)[:60])
def test_a_shown_command_exists(path, command):
    here: click.Command = typer.main.get_command(app)
    context = click.Context(here, info_name="blindmatch")
    words = shlex.split(command)[1:]
    while words and isinstance(here, click.Group) and not words[0].startswith("-"):
        found = here.get_command(context, words[0])
        assert found is not None, f"{path}: there is no `{words[0]}` in `{command}`"
        here = found
        words = words[1:]
        context = click.Context(here, parent=context, info_name=here.name)
    known = {name for parameter in here.params for name in (*parameter.opts, *parameter.secondary_opts)}
    known.add("--help")
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known, f"{path}: `{command}` uses {sorted(used - known)}"
