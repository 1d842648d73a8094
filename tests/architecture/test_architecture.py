"""The house rules that a machine can hold: layers, drift, names, sizes."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.paths import ROOT

from blindmatch import protocol

PACKAGES = ("protocol", "node", "proto", "simulations")
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "_pb2" not in path.name and "__pycache__" not in path.parts
)


def test_the_layers_hold():
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_generated_wire_modules_are_what_the_definitions_say(tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        generate_proto = importlib.import_module("generate_proto")
    finally:
        sys.path.pop(0)
    generate_proto.generate(tmp_path)
    fresh = {p.name: p.read_text() for p in (tmp_path / "blindmatch/proto/v1").iterdir()}
    committed = {p.name: p.read_text() for p in (ROOT / "proto/v1").iterdir() if "_pb2" in p.name}
    assert fresh == committed, "run `make proto` and commit the result"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_refuses_its_bare_name(package):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {package}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert result.returncode != 0
    assert f"blindmatch.{package}" in result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_the_symlinks_are_committed_as_symlinks(package):
    link = ROOT / "src" / "blindmatch" / package
    assert link.is_symlink()
    assert link.resolve() == ROOT / package


def test_the_protocol_shows_few_names():
    assert len(getattr(protocol, "__all__", [])) <= 25


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 500, f"{path.name} has {lines} lines: is it one idea?"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_and_public_name_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what it is for"
    for item in tree.body:
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        overload = any(ast.unparse(each) == "overload" for each in item.decorator_list)
        if not item.name.startswith("_") and not overload:
            assert ast.get_docstring(item), f"{item.name} has no docstring"


def test_no_word_of_the_builder_machine_is_left():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    suspicious = re.compile(r"/work/|\.\./shared|/root/")
    found = [
        name
        for name in tracked
        if name
        and (ROOT / name).is_file()
        and name != "tests/architecture/test_architecture.py"
        and suspicious.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []
