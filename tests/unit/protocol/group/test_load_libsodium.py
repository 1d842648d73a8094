"""libsodium is loaded without a file left behind, without importing rbcl, and its absence is said clearly.

Each case runs in a process of its own: a library, once loaded, stays.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blindmatch.protocol.group import _load_libsodium

BASE = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
USE = """
import sys
from blindmatch.protocol import group
import numpy as np
group.use("libsodium")
one = np.zeros((1, 32), dtype=np.uint8)
one[0, 0] = 1
print(group.multiply_base(one).tobytes().hex())
assert "rbcl" not in sys.modules or sys.modules["rbcl"] is None
"""


def run(code: str, temporary: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_no_file_is_left_behind(temporary: Path):
    result = run(USE, temporary)
    assert result.stderr == ""
    assert result.stdout.strip() == BASE
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux loads from memory")
def test_nothing_is_ever_written_on_linux(temporary: Path):
    # A folder that cannot be a folder: any use of a temporary file would fail.
    blocked = temporary / "blocked"
    blocked.write_text("")
    forbid = "import tempfile\ntempfile.mkstemp = tempfile.NamedTemporaryFile = None\n"
    result = run(forbid + USE, blocked)
    assert result.stderr == ""
    assert result.stdout.strip() == BASE


def test_without_memory_files_a_temporary_one_is_unlinked(temporary: Path):
    result = run("import os\nif hasattr(os, 'memfd_create'): del os.memfd_create\n" + USE, temporary)
    assert result.stderr == ""
    assert result.stdout.strip() == BASE
    assert list(temporary.iterdir()) == []


def test_a_refused_memory_file_falls_back_to_a_temporary_one(temporary: Path):
    refuse = """
import os
def refused(*arguments):
    raise PermissionError("memory files are forbidden here")
os.memfd_create = refused
os.MFD_CLOEXEC = 1
"""
    result = run(refuse + USE, temporary)
    assert result.stderr == ""
    assert result.stdout.strip() == BASE
    assert list(temporary.iterdir()) == []


NOTHING = """
import sys
sys.modules["rbcl"] = None
sys.modules["blindmatch.protocol.group._native"] = None
from blindmatch.protocol.group import _load_libsodium
_load_libsodium._SYSTEM_NAMES = {}
from blindmatch.protocol import group
"""


def test_without_any_libsodium_the_reference_is_used(temporary: Path):
    result = run(NOTHING + "print(group.available(), group.backend_name())", temporary)
    assert result.stderr == ""
    assert result.stdout.strip() == "('reference',) reference"


def test_asking_for_what_is_not_there_says_what_to_do(temporary: Path):
    result = run(NOTHING + "group.use('libsodium')", temporary)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: libsodium did not load (rbcl: rbcl is not installed; the system: ")
    assert last.endswith("install rbcl or libsodium 1.0.18")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("", "holds no library"),
        ("sodium_bs = bytes.fromhex('7f45", "holds no library"),
        ("sodium_bs = bytes.fromhex('7f4')", "rbcl: "),
        ("sodium_bs = bytes.fromhex('7f454c46')", "rbcl: "),
        ("raise SystemExit('rbcl was executed')", "holds no library"),
    ],
    ids=["empty", "cut", "odd digits", "no library", "not executed"],
)
def test_an_rbcl_of_another_shape_is_refused_not_executed(temporary: Path, module: str, reason: str):
    package = temporary.parent / "packages" / "rbcl"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('rbcl was executed')")
    (package / "_sodium.py").write_text(module)
    code = """
from blindmatch.protocol.group import _load_libsodium
_load_libsodium._SYSTEM_NAMES = {}
_load_libsodium.load()
"""
    result = run(code, temporary, package.parent)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: libsodium did not load (")
    assert reason in last
    assert list(temporary.iterdir()) == []


def test_the_bundled_image_is_a_shared_library():
    image = _load_libsodium.bundled_image()
    assert len(image) > 100_000
    if sys.platform == "linux":
        assert image[:4] == b"\x7fELF"
