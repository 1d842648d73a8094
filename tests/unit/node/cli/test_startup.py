"""What a command imports, and when: nearly all that a short command costs."""

import gc
import importlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.node.cli.startup import SETTINGS, LazyModule, settle
from blindmatch.node.storage import gc_pause
from blindmatch.protocol.linkage import comparison_states

HEAVY = ("sqlalchemy", "grpc", "google.protobuf", "numpy", "cryptography", "structlog", "phonenumbers")


def imported(words: list[str], heavy: tuple[str, ...]) -> set[str]:
    """Which of the heavy modules the program has after a command."""
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('IMPORTED', *(m for m in {heavy!r} if m in sys.modules)))\n"
        f"sys.argv = ['blindmatch', *{words!r}]\n"
        "from blindmatch.node.cli import main\n"
        "main()"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return set(said.splitlines()[-1].split()[1:])


def test_the_version_needs_no_library():
    assert imported(["--version"], (*HEAVY, "pydantic", "rich")) == set()


@pytest.mark.parametrize(
    "noun", ["node", "pki", "collection", "agreement", "round", "check", "audit", "keys", "linkage"]
)
def test_help_needs_neither_database_nor_network(noun):
    assert imported([noun, "--help"], HEAVY) == set()


@pytest.mark.parametrize("noun", cli.NOUNS)
def test_every_noun_explains_itself(noun):
    result = CliRunner().invoke(cli.app, [noun, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_a_module_comes_later(tmp_path, monkeypatch):
    (tmp_path / "comes_later.py").write_text("answer = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = LazyModule("comes_later")
    assert "comes_later" not in sys.modules
    try:
        assert module.answer == 42
        assert "comes_later" in sys.modules
        with pytest.raises(AttributeError):
            _ = module.question
    finally:
        sys.modules.pop("comes_later", None)


def test_a_module_that_is_missing_is_said_on_use():
    module = LazyModule("blindmatch.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = module.answer


@pytest.mark.parametrize("enabled", [True, False])
def test_collection_is_paused_and_left_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with gc_pause.pause():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(ImportError), gc_pause.pause():
            importlib.import_module("blindmatch.no_such_module")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_what_the_operator_set_stands(monkeypatch):
    first, second = SETTINGS
    monkeypatch.setenv(first, "chosen")
    monkeypatch.setenv(second, "forgotten at the end")
    monkeypatch.delenv(second)
    settle()
    assert os.environ[first] == "chosen"
    assert os.environ[second] == SETTINGS[second]


def test_only_the_first_backend_of_the_curve_is_loaded():
    program = (
        "from blindmatch.protocol import group\n"
        "name = group.backend_name()\n"
        "assert list(group._choice.loaded) == [name], group._choice.loaded\n"
        "assert name == group.available()[0]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_logarithms_are_exact():
    chance = random.Random(64)
    numbers = [chance.getrandbits(chance.randrange(1, 260)) | 1 for _ in range(3_000)]
    # Beside whole units, where floating point cannot tell: powers of two, and the nearest to 2^(k/64).
    numbers += [(1 << k) + d for k in range(2, 70) for d in (-1, 0, 1)]
    numbers += [round(2 ** (k / 64)) + d for k in range(400, 4_000, 7) for d in (-1, 0, 1)]
    exact = []
    for number in numbers:
        shift = max(number.bit_length() - 64, 0)
        exact.append(shift * 64 + ((number >> shift) ** 64).bit_length() - 1)
    assert [comparison_states.log2_units(number, 1) for number in numbers] == exact
    assert comparison_states.log2_units_each(np.array(numbers, dtype=object)).tolist() == exact
