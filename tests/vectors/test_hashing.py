"""Published vectors of the hashes, against every hashing backend, in batches that do not fill the lanes and in ones that do."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blindmatch.protocol import hashing

FOLDER = Path(__file__).parent / "hashing"
ROWS = [1, 8, 11]


def load(name: str) -> dict:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def batch(text: str, rows: int) -> hashing.Bytes2D:
    return np.array([list(bytes.fromhex(text))] * rows, dtype=np.uint8)


def texts(result: hashing.Bytes2D) -> set[str]:
    return {row.tobytes().hex() for row in result}


@pytest.fixture(params=hashing.available())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with hashing.using(request.param):
        yield request.param


@pytest.fixture(params=ROWS)
def rows(request: pytest.FixtureRequest) -> int:
    return request.param


def test_every_file_is_run():
    # Poly1305 by itself is no function of the package: tests/contract/test_hashing_native.py runs its cases.
    names = ["blake2b", "chacha20", "expand_xmd", "hmac_sha512", "poly1305", "sha512"]
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == names


def test_sha512(backend: str, rows: int):
    for case in load("sha512")["cases"]:
        assert texts(hashing.sha512(batch(case["message"], rows))) == {case["digest"]}


def test_hmac_sha512(backend: str, rows: int):
    for case in load("hmac_sha512")["cases"]:
        size = len(case["tag"]) // 2
        result = hashing.hmac_sha512(batch(case["key"], rows), bytes.fromhex(case["message"]), size=size)
        assert texts(result) == {case["tag"]}


def test_expand_xmd(backend: str, rows: int):
    vector = load("expand_xmd")
    for case in vector["cases"]:
        size = len(case["uniform"]) // 2
        result = hashing.expand_xmd(batch(case["message"], rows), tag=vector["tag"].encode(), size=size)
        assert texts(result) == {case["uniform"]}


def test_blake2b(backend: str, rows: int):
    for case in load("blake2b")["cases"]:
        assert texts(hashing.blake2b(batch(case["message"], rows), size=64)) == {case["digest"]}


def test_chacha20(backend: str, rows: int):
    # Sealing starts at block 1; zeros seal to the key stream itself.
    for case in load("chacha20")["cases"]:
        plain = np.zeros((rows, case["counter"] * 64), dtype=np.uint8)
        sealed = hashing.seal(batch(case["key"], rows), plain)
        assert texts(sealed[:, -64 - 16 : -16]) == {case["block"]}
