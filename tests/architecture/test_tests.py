"""The order of the tests: their sizes, the mirror of the source tree, and that no test double ships with the product."""

import ast

import pytest
from tests.support.paths import ROOT

MOST_LINES = 500
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
UNIT_FILES = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
PRODUCT = ("protocol", "node", "simulations")
PACKAGES = sorted(
    init.parent.relative_to(ROOT) for package in PRODUCT for init in (ROOT / package).rglob("__init__.py")
)
TESTED_ELSEWHERE = {
    "node": "integration: a node and its server are started",
    "node/rounds/hits": "integration/test_round.py and its neighbours: both sides as real nodes",
    "node/storage/store": "contract: one suite for every database",
    "protocol/agreement/disclosures": "protocol/agreement/test_terms.py: every field of every disclosure",
    "protocol/hashing": "contract and vectors: one suite for every backend",
    "protocol/session": "the kernel of every session: protocol/hits, aggregate and threshold drive it",
    "simulations": "integration/test_pilot.py and its neighbours: whole simulations",
    "simulations/benchmarks/parties": "they run in another package's environment; integration/test_bench.py",
    "simulations/drivers": "integration/test_pilot.py, test_placed.py",
}
"""Packages without a folder of unit tests, and where their tests are."""


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_a_test_file_has_one_subject(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: split it by subject"


@pytest.mark.parametrize("path", UNIT_FILES, ids=name_of)
def test_unit_tests_are_beside_the_path_of_what_they_test(path):
    """`tests/unit/X/test_M.py` or `test_M_SUBJECT.py`: M is a module or package of X, or the name of X itself."""
    folder = path.parent.relative_to(ROOT / "tests" / "unit")
    tested = ROOT / ("tests" if folder.parts[0] == "support" else "") / folder
    assert tested.is_dir(), f"there is no {folder}"
    modules = {
        each.stem.removeprefix("_") for each in tested.iterdir() if each.suffix == ".py" or each.is_dir()
    }
    modules |= {tested.name}
    name = path.stem.removeprefix("test_")
    assert any(name == module or name.startswith(f"{module}_") for module in modules), (
        f"{folder} has no module of that name"
    )


def test_every_package_has_its_unit_tests_or_says_where_they_are():
    without = {
        str(package)
        for package in PACKAGES
        if any(path.name != "__init__.py" for path in (ROOT / package).glob("*.py"))
        and not list((ROOT / "tests" / "unit" / package).glob("test_*.py"))
    }
    assert without == set(TESTED_ELSEWHERE)


@pytest.mark.parametrize("package", [*PRODUCT, "proto"])
def test_the_product_does_not_import_the_tests(package):
    for path in (ROOT / package).rglob("*.py"):
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = (
                [item.module or ""]
                if isinstance(item, ast.ImportFrom)
                else [alias.name for alias in item.names]
                if isinstance(item, ast.Import)
                else []
            )
            assert not {module.partition(".")[0] for module in modules} & {"tests", "pytest", "hypothesis"}, (
                path
            )
