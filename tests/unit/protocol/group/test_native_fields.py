"""The kernel's field arithmetic on the largest limbs its comments allow, which random inputs never reach; its constants and bounds.

The programs are built with AddressSanitizer and UndefinedBehaviorSanitizer where the compiler has them.
"""

import importlib
import itertools
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.paths import ROOT

from blindmatch.protocol import group
from blindmatch.protocol.group import FIELD_PRIME

TOOLS = ROOT / "tools"
P = FIELD_PRIME
TWO_51 = 2**51


def tool(name: str) -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


checks, bounds, constants = tool("kernel_checks"), tool("kernel_bounds"), tool("kernel_constants")

# What an operand may be, by path; what is left by an operation that carries, or not.
OPERAND = {"portable": bounds.FE_PORTABLE, "ifma": bounds.FE_IFMA}
CARRIED = {"portable": bounds.TIGHT_PORTABLE, "ifma": bounds.FE_IFMA}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built = {}
    folder = tmp_path_factory.mktemp("kernel")
    try:
        flags = checks.SANITIZERS if checks.sanitizers_work(folder) else ["-O1"]
        for path, define in (("portable", []), ("ifma", ["-DPATH_IFMA"])):
            if path == "ifma" and not ifma_runs():
                continue
            (folder / path).mkdir()
            built[path] = checks.build("limbs", folder / path, *flags, *define, alone=True)
    except checks.NoCompilerError as error:
        pytest.skip(f"the native kernel cannot be built here: {error}")
    return built


def ifma_runs() -> bool:
    native = pytest.importorskip("blindmatch.protocol.group._native", exc_type=ImportError)
    return "ifma" in native.paths()


@pytest.fixture(params=["portable", "ifma"])
def path(request: pytest.FixtureRequest, programs: dict[str, Path]) -> str:
    if request.param not in programs:
        pytest.skip("this processor has no AVX-512 IFMA")
    return request.param


def split(value: int) -> list[int]:
    return [(value >> (51 * place)) % TWO_51 for place in range(5)]


def value(limbs: list[int]) -> int:
    return sum(limb << (51 * place) for place, limb in enumerate(limbs))


def operands(most: int) -> list[list[int]]:
    """Limbs at their bounds alone and together, values about p and 2 p, and random ones in between."""
    chosen = [[most] * 5, [0] * 5, [1, 0, 0, 0, 0], [TWO_51 - 1] * 5, [TWO_51] * 5, [TWO_51 - 19] * 5]
    chosen += [[most if place == high else 0 for place in range(5)] for high in range(5)]
    chosen += [[0 if place == low else most for place in range(5)] for low in range(5)]
    chosen += [split(number) for number in (P - 1, P, P + 1, P + 18, 2**255 - 1, P - 2, P // 2, 19)]
    # p and 2 p in limbs that are not the usual ones.
    chosen += [[TWO_51 - 19, *[TWO_51 - 1] * 4], [2 * TWO_51 - 19, TWO_51 - 2, *[TWO_51 - 1] * 3]]
    chosen += [[TWO_51 + 2**13 - 38, *[TWO_51 + 2**12] * 4]]
    draw = random.Random(4)
    chosen += [[draw.choice((most, most - 1, draw.randrange(most))) for _ in range(5)] for _ in range(20)]
    return [limbs for limbs in chosen if max(limbs) <= most]


def run(program: Path, operation: str, pairs: list[tuple[list[int], list[int]]]) -> list[list[int]]:
    lines = "".join(" ".join(f"{limb:x}" for limb in (*a, *b)) + "\n" for a, b in pairs)
    done = subprocess.run([str(program), operation], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = [[int(word, 16) for word in line.split()] for line in done.stdout.splitlines()]
    assert len(results) == len(pairs)
    return results


OPERATIONS = {
    "multiply": lambda a, b: a * b,
    "square": lambda a, b: a * a,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "sum": lambda a, b: 3 * a * b,
    "difference": lambda a, b: 3 * a * b - 2 * b * b,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_worst_limbs(path: str, programs: dict[str, Path], operation: str):
    most = OPERAND[path]
    # The portable path's sum of two operands is carried once, from less than 2^55.
    pairs = list(itertools.product(operands(most), repeat=2))
    carried = operation in {"multiply", "square", "add", "subtract"} or path == "ifma"
    if operation == "subtract" and path == "portable":
        # The largest that an operation leaves: wide_difference's.
        most = 3 * bounds.TIGHT_PORTABLE + 2**53
        pairs = list(itertools.product(operands(most), repeat=2))
    for (a, b), result in zip(pairs, run(programs[path], operation, pairs), strict=True):
        assert value(result) % P == OPERATIONS[operation](value(a), value(b)) % P, (a, b)
        assert max(result) <= (CARRIED if carried else OPERAND)[path], (a, b)


def test_canonical_form_sign_and_zero(path: str, programs: dict[str, Path]):
    inputs = [(limbs, [0] * 5) for limbs in operands(OPERAND[path])]
    expected = [value(limbs) % P for limbs, _ in inputs]
    words = run(programs[path], "canonical", inputs)
    assert [sum(word << (64 * place) for place, word in enumerate(row)) for row in words] == expected
    assert [row[0] for row in run(programs[path], "negative", inputs)] == [number % 2 for number in expected]
    assert [row[0] for row in run(programs[path], "zero", inputs)] == [number == 0 for number in expected]


def test_the_bounds_in_the_comments_hold():
    bounds.portable()
    bounds.ifma()


def test_a_bound_that_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "FE_IFMA", 2**52)
    with pytest.raises(bounds.BoundError):
        bounds.ifma()
    monkeypatch.setattr(bounds, "FE_PORTABLE", 2**55)
    with pytest.raises(bounds.BoundError):
        bounds.portable()


def test_the_constants_are_what_their_definitions_say():
    assert constants.TARGET.read_text() == constants.header(), "run tools/kernel_constants.py"
    from_reference = importlib.import_module("blindmatch.protocol.group._reference")
    for name, (_, number) in constants.constants().items():
        if hasattr(from_reference, name.removeprefix("FIELD_")):
            assert number == getattr(from_reference, name.removeprefix("FIELD_")), name


def test_where_there_is_a_compiler_the_kernel_is_built():
    # The installation goes on without it, with a warning: here that would pass unseen.
    try:
        checks.compiler()
    except checks.NoCompilerError as error:
        pytest.skip(str(error))
    assert "native-portable" in group.available()
