"""Run every test: what `make test` calls."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *sys.argv[1:]]))
