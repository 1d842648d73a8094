"""The extension's own bounds, and its C under the sanitizers, from a program that holds each buffer in memory of its exact size."""

import shutil
import struct
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.paths import ROOT

from blindmatch.protocol.hashing._hashlib import HashlibBackend
from blindmatch.protocol.hashing.frames import Algorithm, Frame, Part

SOURCES = ROOT / "protocol" / "hashing" / "native"
DRIVER = ROOT / "tests" / "fixtures" / "native" / "hashing_driver.c"
NO_SUCH_PATH = 3
SEAL, POLY1305 = 2, 3
CASES = 400


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (Debian: apt-get install gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("driver")
    sanitized = [compiler, "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-pthread"]
    empty, program = folder / "empty.c", folder / "driver"
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run([*sanitized, empty, "-o", program], capture_output=True, check=False).returncode:
        pytest.skip(f"{compiler} has no address sanitizer")
    sources = [path for path in sorted(SOURCES.glob("*.c")) if path.name != "module.c"]
    warnings = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
    command = [*sanitized, *warnings, f"-I{SOURCES}", DRIVER, *sources, "-o", program]
    subprocess.run(command, check=True)
    return program


def parts(random: np.random.Generator, length: int, count: int, mask: int) -> Iterator[Part]:
    at = 0
    for _ in range(int(random.integers(0, 5))):
        offset = int(random.integers(at, length + 1))
        width = int(random.integers(0, length - offset + 1))
        yield Part(offset, random.integers(0, 256, (count, width), dtype=np.uint8), mask)
        at = offset + width


def case(random: np.random.Generator) -> tuple[Algorithm, tuple[Frame, ...], int, int, int]:
    algorithm: Algorithm = "blake2b" if random.integers(0, 2) else "sha512"
    count = int(random.choice([0, 1, 3, 7, 8, 9, 17, 16_400], p=[0.05, 0.2, 0.1, 0.2, 0.2, 0.2, 0.04, 0.01]))
    length = int(random.integers(0, 300))
    frames = [Frame(random.bytes(length), tuple(parts(random, length, count, 0)))]
    if algorithm == "sha512" and random.integers(0, 2):
        length = int(random.integers(64, 300))
        digest_at = int(random.integers(0, length - 63))
        mask = int(random.integers(0, 256))
        frames.append(Frame(random.bytes(length), tuple(parts(random, digest_at, count, mask)), digest_at))
    return algorithm, tuple(frames), count, int(random.integers(1, 65)), int(random.integers(0, 4))


def pack(
    algorithm: Algorithm, path: str, frames: tuple[Frame, ...], count: int, size: int, threads: int
) -> bytes:
    data = struct.pack("<6I", algorithm == "blake2b", path == "avx512", count, size, threads, len(frames))
    for frame in frames:
        data += struct.pack("<3I", len(frame.text), frame.digest_at, len(frame.parts)) + frame.text
        for part in frame.parts:
            data += struct.pack("<3I", part.offset, part.rows.shape[1], part.mask) + part.rows.tobytes()
    return data


def run(driver: Path, sent: bytes) -> bytes:
    done = subprocess.run([driver], input=sent, capture_output=True, check=False)
    if done.returncode == NO_SUCH_PATH:
        pytest.skip("this path does not run on this processor")
    assert not done.returncode, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.parametrize("path", ["portable", "avx512"])
def test_hashing_under_the_sanitizers(driver: Path, path: str):
    random = np.random.default_rng(9)
    cases = [case(random) for _ in range(CASES)]
    found = run(driver, b"".join(pack(algorithm, path, *rest) for algorithm, *rest in cases))
    expected = b""
    for algorithm, frames, count, size, threads in cases:
        out = np.empty((count, size), dtype=np.uint8)
        HashlibBackend().run(algorithm, frames, out, person=b"", threads=threads)
        expected += out.tobytes()
    assert found == expected


@pytest.mark.parametrize("path", ["portable", "avx512"])
def test_sealing_under_the_sanitizers(driver: Path, path: str):
    random = np.random.default_rng(10)
    sent, expected = b"", b""
    for count, width in [
        (0, 5),
        (1, 0),
        (1, 1),
        (16, 64),
        (17, 65),
        (5, 128),
        *random.integers(1, 200, (30, 2)),
    ]:
        keys, rows = (random.integers(0, 256, (count, size), dtype=np.uint8) for size in (32, width))
        sent += struct.pack("<4I", SEAL, path == "avx512", count, width) + keys.tobytes() + rows.tobytes()
        out = np.empty((count, width + 16), dtype=np.uint8)
        HashlibBackend().seal(keys, rows, out)
        expected += out.tobytes()
    assert run(driver, sent) == expected


def poly1305(key: bytes, text: bytes) -> bytes:
    # RFC 8439 2.5.1, on Python's integers.
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at : at + 16], "little") + (1 << 128)) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def test_poly1305_at_the_edges_of_its_limbs(driver: Path):
    random = np.random.default_rng(11)
    vectors = tomllib.loads((ROOT / "tests" / "vectors" / "hashing" / "poly1305.toml").read_text())["cases"]
    cases = [(bytes.fromhex(case["key"]), bytes.fromhex(case["text"])) for case in vectors]
    tags = [bytes.fromhex(case["tag"]) for case in vectors]
    # Bytes of all ones and of zeros, in runs: the largest limbs, the longest carries.
    extremes = [bytes([value]) * size for value in (0, 1, 254, 255) for size in (1, 3, 8, 16)]
    for _ in range(2_000):
        text = b"".join(extremes[index] for index in random.integers(0, len(extremes), 60))
        blocks = int(random.integers(0, 12))
        key = text[:16] if random.integers(0, 2) else b"\xff" * 16
        cases.append((key + text[16:32], text[32 : 32 + 16 * blocks]))
        tags.append(poly1305(*cases[-1]))
    sent = b"".join(struct.pack("<2I", POLY1305, len(text) // 16) + key + text for key, text in cases)
    assert run(driver, sent) == b"".join(tags)


def test_the_extension_trusts_no_number():
    native = pytest.importorskip("blindmatch.protocol.hashing._native")
    rows, out, block = np.zeros((4, 10), np.uint8), np.zeros((4, 64), np.uint8), bytes(64)
    frame = (bytes(20), ((5, 10, 0, rows),), 0)

    def refused(*arguments: object) -> None:
        with pytest.raises((ValueError, TypeError, OverflowError, BufferError)):
            native.hash_rows(*arguments)

    native.hash_rows("sha512", "portable", block, (frame,), 4, 64, 1, out)
    refused("md5", "portable", block, (frame,), 4, 64, 1, out)
    refused("sha512", "abacus", block, (frame,), 4, 64, 1, out)
    refused("sha512", "portable", bytes(63), (frame,), 4, 64, 1, out)
    refused("sha512", "portable", block, (), 4, 64, 1, out)
    refused("sha512", "portable", block, (frame,) * 3, 4, 64, 1, out)
    refused("sha512", "portable", block, (frame,), 5, 64, 1, out)
    refused("sha512", "portable", block, (frame,), -1, 64, 1, out)
    refused("sha512", "portable", block, (frame,), 4, 65, 1, out)
    refused("sha512", "portable", block, (frame,), 4, 0, 1, out)
    refused("sha512", "portable", block, (frame,), 4, 32, 1, out)
    refused("sha512", "portable", block, (frame,), 4, 64, -1, out)
    refused("sha512", "portable", block, (frame,), 4, 64, 1, bytes(256))
    refused("sha512", "portable", block, (frame,), 4, 64, 1, out[:, ::2])
    refused("sha512", "portable", block, (frame, (bytes(100), (), 37)), 4, 64, 1, out)
    refused("sha512", "portable", block, (frame, (bytes(63), (), 0)), 4, 64, 1, out)
    refused("sha512", "portable", block, (frame, (bytes(100), (), -1)), 4, 64, 1, out)
    for part in [(11, 10, 0, rows), (-1, 10, 0, rows), (5, 9, 0, rows), (5, -1, 0, rows), (5, 10, 256, rows)]:
        refused("sha512", "portable", block, ((bytes(20), (part,), 0),), 4, 64, 1, out)
    refused("sha512", "portable", block, ((bytes(20), ((0, 2, 0, bytes(8)),) * 5, 0),), 4, 64, 1, out)
    refused("sha512", "portable", block, ((bytes(20), ((0, 2**61, 0, b""),), 0),), 8, 64, 1, out)


def test_sealing_trusts_no_number():
    native = pytest.importorskip("blindmatch.protocol.hashing._native")
    keys, rows, out = np.zeros((4, 32), np.uint8), np.zeros((4, 10), np.uint8), np.zeros((4, 26), np.uint8)
    native.seal_rows("portable", keys, rows, 4, 10, out)
    for mistake in [
        ("abacus", keys, rows, 4, 10, out),
        ("portable", keys[:3], rows, 4, 10, out),
        ("portable", keys, rows[:3], 4, 10, out),
        ("portable", keys, rows, 4, 10, out[:3]),
        ("portable", keys, rows, 4, 11, out),
        ("portable", keys, rows, 5, 10, out),
        ("portable", keys, rows, -4, -10, out),
        ("portable", keys, rows, 4, 2**31, out),
        ("portable", keys, rows, 4, 10, out.tobytes()),
    ]:
        with pytest.raises((ValueError, BufferError)):
            native.seal_rows(*mistake)
