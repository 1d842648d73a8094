"""Reading a passphrase from a file, the environment or a prompt; never from the command line."""

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path

from blindmatch.protocol.errors import KeysError

VARIABLE = "BLINDMATCH_PASSPHRASE"
FILE_VARIABLE = "BLINDMATCH_PASSPHRASE_FILE"
MINIMUM_CHARACTERS = 8

_HINT = f"Give --passphrase-file FILE, or set {FILE_VARIABLE} or {VARIABLE}."


def read_passphrase(
    file: Path | None = None,
    *,
    new: bool = False,
    prompt: str = "Passphrase: ",
    environment: Mapping[str, str] = os.environ,
) -> str:
    """The passphrase, from the first source available: `file`, the environment, a prompt.

    Args:
        file: a file whose first line is the passphrase.
        new: ask twice at a prompt, and refuse a short one.
        prompt: the text of the prompt.
        environment: `BLINDMATCH_PASSPHRASE_FILE` and `BLINDMATCH_PASSPHRASE` are read from here.

    Raises:
        KeysError: the file cannot be read, the passphrase is empty or too short, or there is no terminal.
    """
    named = environment.get(FILE_VARIABLE, "")
    if file is None and named:
        file = Path(named)
    if file is not None:
        passphrase = _from_file(file)
    elif VARIABLE in environment:
        passphrase = environment[VARIABLE]
    else:
        passphrase = _from_prompt(prompt, again=new)
    if not passphrase:
        raise KeysError("the passphrase is empty", hint=_HINT)
    if new and len(passphrase) < MINIMUM_CHARACTERS:
        raise KeysError(
            f"a new passphrase has at least {MINIMUM_CHARACTERS} characters",
            hint="Use four or more random words.",
        )
    return passphrase


def _from_file(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KeysError(f"passphrase file {file}: {error.strerror}", hint=_HINT) from None
    except UnicodeDecodeError:
        raise KeysError(f"passphrase file {file}: not UTF-8", hint=_HINT) from None
    return lines[0] if lines else ""


def _from_prompt(prompt: str, *, again: bool) -> str:
    if not sys.stdin.isatty():
        raise KeysError("a passphrase is needed, and there is no terminal to ask at", hint=_HINT)
    passphrase = getpass(prompt)
    if again and getpass("The same again: ") != passphrase:
        raise KeysError("the two passphrases differ")
    return passphrase
