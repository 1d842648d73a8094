"""The environments of the other packages of `bench peers`: each has one of its own.

`spu` requires an older numpy and Python below 3.12, and `openmined-psi` another version of protobuf than ours, so that no environment
can hold all three. `blindmatch bench peers --install` creates one for each below the user's cache folder.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindmatch.protocol.errors import LocalError


@dataclass(frozen=True)
class Package:
    """Another package for the same job."""

    name: str
    requirement: str
    """The requirement for pip, with the measured version."""
    module: str
    """The module that must be importable."""


PACKAGES: Final = {
    "spu": Package("spu", "spu==0.9.5", "spu.psi"),
    "openmined-psi": Package("openmined-psi", "openmined-psi==2.0.6", "private_set_intersection.python"),
}
_CHECK_SECONDS: Final = 120
_INSTALL_SECONDS: Final = 1_800


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the environments: `$XDG_CACHE_HOME/blindmatch/peers`, or below `~/.cache`."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "blindmatch" / "peers"


def python_in(folder: Path) -> Path:
    """An environment's interpreter."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def find(package: Package, chosen: Path | None, cache: Path) -> Path | None:
    """The interpreter with the package: the chosen one, or the one that `--install` created; None if there is none.

    Raises:
        LocalError: the chosen interpreter does not have the package.
    """
    python = chosen or python_in(cache / package.name)
    if chosen is None and not python.exists():
        return None
    problem = _check(package, python)
    if not problem:
        return python
    raise LocalError(
        f"{python} has no usable {package.name}: {problem}",
        hint=f"Install {package.requirement} there, or create an environment: blindmatch bench peers --install",
    )


def _run(arguments: Sequence[str], seconds: float) -> str:
    """Run a program; the last line of its errors, empty when it succeeds.

    Raises:
        OSError, subprocess.TimeoutExpired: it cannot be started, or does not end in time.
    """
    process = subprocess.run(  # noqa: S603 -- the interpreter of an environment, or the one that the user names
        arguments, capture_output=True, text=True, timeout=seconds, check=False
    )
    if process.returncode == 0:
        return ""
    return (process.stderr.strip().splitlines() or [f"status {process.returncode}"])[-1]


def _check(package: Package, python: Path) -> str:
    """The reason why the package cannot be imported there; empty when it can."""
    try:
        return _run([str(python), "-I", "-c", f"import {package.module}"], _CHECK_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def install(package: Package, cache: Path, note: Callable[[str], None]) -> Path:
    """Create the package's environment, or update it to the measured version; returns its interpreter.

    Raises:
        LocalError: pip failed, with the last line of its output.
    """
    folder = cache / package.name
    python = python_in(folder)
    note(f"installing {package.requirement} into {folder} ...")
    try:
        if not python.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            venv.EnvBuilder(with_pip=True).create(folder)
        arguments = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        reason = _run([*arguments, package.requirement], _INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalError(f"cannot create an environment for {package.name} at {folder}: {error}") from None
    if reason:
        raise LocalError(
            f"{package.requirement} cannot be installed for Python {sys.version_info.major}.{sys.version_info.minor}: {reason}",
            hint="Name an interpreter with the package by --python-spu or --python-psi; spu 0.9.5 needs Python 3.10 or 3.11.",
        )
    return python
