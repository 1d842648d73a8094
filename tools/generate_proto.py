"""Generate the protobuf modules beside their definitions: what `make proto` calls.

`generate(out)` writes into another folder, so that a test can compare what is committed with what would be.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("common", "agreement", "match", "number", "standing", "threshold")


def generate(out: Path) -> None:
    """Write the modules of every definition below `out`, laid out as `blindmatch/proto/v1`."""
    include = ROOT / "src"
    files = [f"blindmatch/proto/v1/{name}.proto" for name in SOURCES]
    status = protoc.main(
        [
            "protoc",
            f"-I{include}",
            f"--python_out={out}",
            f"--pyi_out={out}",
            f"--grpc_python_out={out}",
            *files,
        ]
    )
    if status != 0:
        sys.exit(status)


if __name__ == "__main__":
    generate(ROOT / "src")
