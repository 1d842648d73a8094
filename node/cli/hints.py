"""Hints name the node's folder in their commands, where the command had to name it: they can be copied as they are."""

import re
import shlex
from pathlib import Path

import typer

DEFAULT_HOME = Path("node")

_home: str = ""


def remember_home(context: typer.Context, parameter: typer.CallbackParam, value: Path) -> Path:
    """Remember a folder given on the command line: the commands in hints must name it too."""
    global _home  # noqa: PLW0603 - one folder per process, as the command names it
    source = context.get_parameter_source(parameter.name or "")
    _home = str(value) if source is not None and source.name == "COMMANDLINE" else ""
    return value


def forget_home() -> None:
    """Forget the folder of an earlier command in the same process."""
    global _home  # noqa: PLW0603 - see above
    _home = ""


WITHOUT_HOME = frozenset({"pki init", "pki issue", "pki revoke", "pki show", "collection map"})
"""Commands without the option --home."""

_COMMAND = re.compile(
    r"\bblindmatch ((?:node|pki|collection|agreement|round|audit|keys) [a-z]+)\b(?! --home)(?![^`\n]* --home )"
)


def with_home(text: str) -> str:
    """A hint whose commands name the node's folder, where this command had to name it: they can be copied as they are."""

    def add_home(match: re.Match[str]) -> str:
        return match[0] if match[1] in WITHOUT_HOME else f"{match[0]} --home {shlex.quote(_home)}"

    return _COMMAND.sub(add_home, text) if _home and _home != str(DEFAULT_HOME) else text
