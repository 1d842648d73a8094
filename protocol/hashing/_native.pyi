import numpy as np
import numpy.typing as npt

def paths() -> tuple[str, ...]: ...
def hash_rows(
    algorithm: str,
    path: str,
    parameters: bytes,
    frames: tuple[tuple[bytes, tuple[tuple[int, int, int, npt.NDArray[np.uint8]], ...], int], ...],
    rows: int,
    size: int,
    threads: int,
    out: npt.NDArray[np.uint8],
    /,
) -> None: ...
def seal_rows(
    path: str,
    keys: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.uint8],
    count: int,
    width: int,
    out: npt.NDArray[np.uint8],
    /,
) -> None: ...
