"""Write the frozen values anew: `python tests/golden/freeze.py` for all of them, or with names (`agreements statements`).

Only for a change of bytes, stored data or results that is wanted: read the difference before it is committed.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FREEZING = "BLINDMATCH_FREEZE_GOLDEN"
"""As in `conftest.py`."""


def main(names: list[str]) -> int | str:
    """Delete the files of these names, and run their tests so that they write them."""
    tests = [HERE / f"test_golden_{name}.py" for name in names] or sorted(HERE.glob("test_golden_*.py"))
    if missing := [path.name for path in tests if not path.exists()]:
        return f"no such tests: {', '.join(missing)}"
    for path in tests:
        (HERE / "data" / f"{path.stem.removeprefix('test_golden_')}.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *map(str, tests)]
    return subprocess.run(
        command, check=False, env={**os.environ, FREEZING: "1"}, cwd=HERE.parents[1]
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
