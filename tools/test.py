"""Run every test: what `make test` calls. Arguments go to pytest.

Tests wait for processes, sockets and disks, so there is one worker more than there are processors. Temporary files are in memory where that is
possible: nodes flush every step to the disk, and tests of nodes would wait for it most of their time.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, on Linux
LEAST_FREE = 2 << 30


@contextmanager
def temporary_files_in_memory() -> Iterator[None]:
    """Temporary files of this process and its children go to memory, if there is enough; all are deleted at the end."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < LEAST_FREE:
        yield
        return
    # Ray keeps gigabytes of its own, and its paths are long.
    os.environ.setdefault("RAY_TMPDIR", tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="bm-", dir=MEMORY) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another account
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield


if __name__ == "__main__":
    workers = str(max(2, os.cpu_count() or 1) + 1)
    with temporary_files_in_memory():
        status = pytest.main(["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder", *sys.argv[1:]])
    sys.exit(status)
