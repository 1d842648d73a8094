"""Where the packages that we are measured against live: each in an environment of its own, never in ours.

`spu` needs an older numpy and Python below 3.12, `openmined-psi` one exact protobuf that ours is not: no environment holds
all three. `blindmatch bench peers --install` makes one for each below the user's cache folder.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindmatch.protocol.errors import LocalError


@dataclass(frozen=True)
class Package:
    """One package that others use for the same job."""

    name: str
    requirement: str
    """What pip installs: the version that was measured."""
    module: str
    """What must be importable."""


PACKAGES: Final = {
    "spu": Package("spu", "spu==0.9.5", "spu.psi"),
    "openmined-psi": Package("openmined-psi", "openmined-psi==2.0.6", "private_set_intersection.python"),
}
_CHECK_SECONDS: Final = 120
_INSTALL_SECONDS: Final = 1_800


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the environments are made: `$XDG_CACHE_HOME/blindmatch/peers`, or below `~/.cache`."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "blindmatch" / "peers"


def python_in(folder: Path) -> Path:
    """An environment's interpreter."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def find(package: Package, given: Path | None, cache: Path) -> Path | None:
    """The interpreter that has the package: the one given, otherwise the one that `--install` made; None without.

    Raises:
        LocalError: an interpreter was given and does not have the package.
    """
    python = given or python_in(cache / package.name)
    if given is None and not python.exists():
        return None
    problem = _check(package, python)
    if not problem:
        return python
    raise LocalError(
        f"{python} has no usable {package.name}: {problem}",
        hint=f"Install {package.requirement} there, or make an environment: blindmatch bench peers --install",
    )


def _check(package: Package, python: Path) -> str:
    """Why the package cannot be imported there; empty when it can."""
    try:
        done = subprocess.run(  # noqa: S603 -- the interpreter that the user names
            [str(python), "-I", "-c", f"import {package.module}"],
            capture_output=True,
            text=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it cannot be imported"])[-1]


def install(package: Package, cache: Path, note: Callable[[str], None]) -> Path:
    """Make the package's environment, or bring it up to the version that was measured; returns its interpreter.

    Raises:
        LocalError: pip failed; the last line that it wrote says why.
    """
    folder = cache / package.name
    python = python_in(folder)
    note(f"installing {package.requirement} into {folder} ...")
    try:
        if not python.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            venv.EnvBuilder(with_pip=True).create(folder)
        done = subprocess.run(  # noqa: S603 -- the interpreter that was just made
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                package.requirement,
            ],
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalError(f"no environment for {package.name} at {folder}: {error}") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise LocalError(
            f"{package.requirement} cannot be installed for Python {sys.version_info.major}.{sys.version_info.minor}: {said}",
            hint="Name an interpreter that has it with --python-spu or --python-psi; spu 0.9.5 needs Python 3.10 or 3.11.",
        )
    return python
