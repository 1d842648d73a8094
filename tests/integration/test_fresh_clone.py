"""What a new user gets: the committed files alone, built, installed somewhere else, and the demo run at small scale."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from tests.support.paths import ROOT


def run(*words: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def setuptools_major() -> int:
    """Of this environment; too old or missing, pip fetches the one that pyproject.toml asks for."""
    try:
        return int(metadata.version("setuptools").partition(".")[0])
    except metadata.PackageNotFoundError:
        return 0


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The tracked files, symlinks as symlinks; nothing that lies about in this folder comes along."""
    target = tmp_path_factory.mktemp("fresh") / "blindmatch"
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        source = ROOT / name
        if name and (source.is_symlink() or source.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def installed(clone, tmp_path_factory):
    """The clone's wheel, unpacked by pip into a folder of its own; the libraries are this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    alone = ["--no-build-isolation"] if setuptools_major() >= 77 else []
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", *alone, "--wheel-dir", folder, clone, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", folder / "site", wheel, cwd=folder)
    return folder / "site"


def test_every_data_file_is_in_the_wheel(clone, installed):
    def data(top: Path) -> set[str]:
        return {
            str(path.relative_to(top))
            for package in ("protocol", "node", "proto", "simulations")
            for path in (top / package).rglob("*")
            # C sources belong to the source distribution, what is made of them to the wheel.
            if path.is_file() and path.suffix not in {".py", ".pyc", ".so"} and path.parent.name != "native"
        }

    wanted = data(clone)
    assert "protocol/linkage/schemas/uk-person-company-2.toml" in wanted
    assert data(installed / "blindmatch") == wanted


@pytest.mark.skipif(
    shutil.which("gcc") is None, reason="no C compiler (Debian: apt-get install gcc libc6-dev)"
)
def test_the_extensions_are_in_the_wheel(clone, installed):
    folders = {path.parent.parent.relative_to(clone) for path in clone.glob("protocol/*/native/module.c")}
    assert folders
    for folder in folders:
        assert list((installed / "blindmatch" / folder).glob("_native*.so"))


def test_the_demo_runs_from_the_wheel(installed, tmp_path):
    where = run(
        sys.executable,
        "-c",
        "import blindmatch; print(blindmatch.__file__)",
        cwd=tmp_path,
        PYTHONPATH=str(installed),
    )
    assert Path(where.strip()).is_relative_to(installed)
    words = ("simulate", "pilot", "--areas", "1", "--scale", "0.05", "--out", "out")
    run(sys.executable, "-m", "blindmatch", *words, cwd=tmp_path, PYTHONPATH=str(installed))
    assert json.loads((tmp_path / "out/summary.json").read_text())["result"]
    assert "<html" in (tmp_path / "out/report.html").read_text()


def test_make_demo_and_make_test_install_first(clone):
    for goal, command in (("demo", "blindmatch simulate pilot"), ("test", "tools/test.py")):
        lines = run("make", "--dry-run", goal, cwd=clone).splitlines()
        order = [next(i for i, line in enumerate(lines) if word in line) for word in ("venv", "pip", command)]
        assert order == sorted(order)
