"""The public interface of the package: few names, documented, imported on first use; its example runs."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import blindmatch
from blindmatch import ElementRows, LocalError


def example() -> str:
    """The indented lines of the package's docstring."""
    lines = blindmatch.__doc__.splitlines()
    return textwrap.dedent("\n".join(line for line in lines if not line or line.startswith("    ")))


def test_the_example_of_the_docstring_finds_who_is_in_both_lists():
    result = subprocess.run(
        [sys.executable, "-c", example()], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "['ada', 'alan']\n"


def test_the_example_is_short():
    assert sum(bool(line.strip()) for line in example().splitlines()) <= 30


def test_every_public_name_exists_and_has_a_docstring():
    assert sorted(name for names in blindmatch._HOMES.values() for name in names) == sorted(
        blindmatch.__all__
    )
    for name in blindmatch.__all__:
        assert getattr(blindmatch, name).__doc__, name
    assert len(blindmatch.__all__) <= 25
    assert dir(blindmatch) == sorted(blindmatch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = blindmatch.nonsense


def test_importing_the_package_imports_none_of_its_parts():
    code = "import sys, blindmatch; print([name for name in sys.modules if name.startswith('blindmatch.')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_elements_of_texts():
    rows = ElementRows(["ada", "grace"])
    assert len(rows) == 2
    assert rows.take(np.array([1, 0])).shape == (2, 32)
    assert (rows.take(np.array([0])) == ElementRows(["ada"]).take(np.array([0]))).all()
    assert repr(rows) == "ElementRows(2)"
    with pytest.raises(LocalError, match="more than once"):
        ElementRows(["ada", "ada"])
