"""One suite over every hashing backend: the bytes that `hashlib` and `hmac` give for each row alone, the same refusals."""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol import hashing
from blindmatch.protocol.hashing import Bytes2D

# Around the ends of blocks, where padding goes over: 111 and 112 for SHA-512, 128 for both, and likewise one block later.
WIDTHS = [0, 1, 7, 8, 63, 64, 65, 111, 112, 113, 127, 128, 129, 175, 176, 239, 240, 241, 255, 256, 257, 300]
ROWS = [1, 2, 7, 8, 9, 16, 23]
# Rows enough for two threads and a stretch that ends within a group of lanes.
MANY = 2 * 8192 + 13

widths = st.integers(0, 300) | st.sampled_from(WIDTHS)


def rows(width: int, count: int = 11, seed: int = 5) -> Bytes2D:
    return np.random.default_rng((seed, width)).integers(0, 256, (count, width), dtype=np.uint8)


def expected(batch: Bytes2D, one: Callable[[bytes], bytes]) -> list[bytes]:
    return [one(row.tobytes()) for row in batch]


def found(result: Bytes2D) -> list[bytes]:
    return [row.tobytes() for row in result]


def xmd(message: bytes, tag: bytes, size: int) -> bytes:
    # RFC 9380 5.3.1, written out here a second time.
    prime = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(128) + message + size.to_bytes(2, "big") + b"\0" + prime).digest()
    return hashlib.sha512(first + b"\x01" + prime).digest()[:size]


@pytest.fixture(params=hashing.available())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with hashing.using(request.param):
        yield request.param


def test_the_extension_is_here_on_the_ci_machine():
    # Were it not built, this suite would quietly compare hashlib with itself.
    wanted = {"hashlib", "portable"} if os.environ.get("CI", "").lower() == "true" else {"hashlib"}
    assert wanted <= set(hashing.available())


@pytest.mark.parametrize("count", ROWS)
def test_any_number_of_rows(backend: str, count: int):
    batch = rows(86, count)
    assert found(hashing.sha512(batch)) == expected(batch, lambda row: hashlib.sha512(row).digest())
    assert found(hashing.blake2b(batch, size=32)) == expected(
        batch, lambda row: hashlib.blake2b(row, digest_size=32).digest()
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_sha512_at_block_boundaries(backend: str, width: int):
    batch = rows(width)
    assert found(hashing.sha512(batch)) == expected(batch, lambda row: hashlib.sha512(row).digest())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [1, 16, 32, 64])
def test_blake2b_at_block_boundaries(backend: str, width: int, size: int):
    batch = rows(width)
    for person in (b"", b"sixteen bytes 16"):
        result = hashing.blake2b(batch, size=size, person=person)
        assert found(result) == expected(
            batch, lambda row, person=person: hashlib.blake2b(row, digest_size=size, person=person).digest()
        )


@pytest.mark.parametrize("key", [b"k", bytes(range(64))])
def test_blake2b_with_a_key(backend: str, key: bytes):
    for width in WIDTHS:
        batch = rows(width)
        assert found(hashing.blake2b(batch, size=16, key=key, person=b"p")) == expected(
            batch, lambda row: hashlib.blake2b(row, digest_size=16, key=key, person=b"p").digest()
        )


def test_texts_of_any_length(backend: str):
    texts = ["one", "two", "three", "drei und zwanzig", "ü", "x" * 300, "", "one"]
    for key in (b"", b"key"):
        assert found(hashing.blake2b_texts(texts, size=8, key=key)) == [
            hashlib.blake2b(text.encode(), digest_size=8, key=key).digest() for text in texts
        ]
    assert hashing.blake2b_texts([], size=8).shape == (0, 8)


@given(first=widths, second=widths, head=st.binary(max_size=150), tail=st.binary(max_size=150))
def test_pieces_stand_side_by_side(first: int, second: int, head: bytes, tail: bytes):
    left, right = rows(first), rows(second, seed=6)
    whole = [head + a.tobytes() + b"," + b.tobytes() + tail for a, b in zip(left, right, strict=True)]
    for name in hashing.available():
        with hashing.using(name):
            assert found(hashing.sha512(head, left, b",", right, tail)) == [
                hashlib.sha512(text).digest() for text in whole
            ]
            assert found(hashing.blake2b(head, left, b",", right, tail, size=16, person=b"p")) == [
                hashlib.blake2b(text, digest_size=16, person=b"p").digest() for text in whole
            ]


@given(width=widths, tag=st.binary(max_size=255), size=st.integers(1, 64))
def test_expand_xmd_is_the_rfcs(width: int, tag: bytes, size: int):
    batch = rows(width)
    for name in hashing.available():
        with hashing.using(name):
            result = hashing.expand_xmd(batch, tag=tag, size=size)
            assert found(result) == expected(batch, lambda row: xmd(row, tag, size))


@given(width=st.integers(0, 128), info=st.binary(max_size=300), size=st.integers(1, 64))
def test_hkdf_expand_is_one_hmac_per_row(width: int, info: bytes, size: int):
    keys = rows(width)
    for name in hashing.available():
        with hashing.using(name):
            result = hashing.hkdf_expand(keys, info, size)
            assert found(result) == expected(
                keys, lambda key: hmac.digest(key, info + b"\x01", "sha512")[:size]
            )


def test_hmac_over_messages_that_differ_too(backend: str):
    keys, messages = rows(64), rows(100)
    assert found(hashing.hmac_sha512(keys, b"a", messages, b"z")) == [
        hmac.digest(key.tobytes(), b"a" + message.tobytes() + b"z", "sha512")
        for key, message in zip(keys, messages, strict=True)
    ]


@pytest.mark.parametrize("threads", [None, 1, 2, 5])
def test_threads_change_nothing(backend: str, threads: int | None):
    batch = rows(86, MANY)
    try:
        hashing.use_threads(threads)
        result = hashing.expand_xmd(batch, tag=b"tag")
    finally:
        hashing.use_threads(None)
    assert found(result) == expected(batch, lambda row: xmd(row, b"tag", 64))


def test_calls_from_several_threads_at_once(backend: str):
    batches = [rows(60 + index, 300) for index in range(8)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(hashing.sha512, batches))
    for batch, result in zip(batches, results, strict=True):
        assert found(result) == expected(batch, lambda row: hashlib.sha512(row).digest())


@given(width=st.integers(0, 600), count=st.integers(0, 40))
def test_sealing_is_rfc_8439s_row_by_row(width: int, count: int):
    keys, batch = rows(32, count), rows(width, count)
    for name in hashing.available():
        with hashing.using(name):
            sealed = hashing.seal(keys, batch)
            assert sealed.shape == (count, width + 16)
            for key, row, box in zip(keys, batch, sealed, strict=True):
                opened = ChaCha20Poly1305(key.tobytes()).decrypt(bytes(12), box.tobytes(), None)
                assert opened == row.tobytes()


def test_results_are_fresh_and_inputs_are_kept(backend: str):
    keys, messages = rows(64), rows(70)
    before = keys.copy(), messages.copy()
    result = hashing.hmac_sha512(keys, messages, size=32)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert result.dtype == np.uint8
    assert np.array_equal(keys, before[0])
    assert np.array_equal(messages, before[1])


def test_rows_that_are_not_contiguous(backend: str):
    wide = rows(200)
    part = wide[::2, 30:130]
    assert found(hashing.sha512(part)) == expected(part, lambda row: hashlib.sha512(row).digest())


def test_read_only_rows(backend: str):
    batch = rows(20)
    batch.flags.writeable = False
    assert found(hashing.sha512(batch)) == expected(batch, lambda row: hashlib.sha512(row).digest())


def test_no_rows(backend: str):
    assert hashing.sha512(rows(20, 0)).shape == (0, 64)
    assert hashing.hkdf_expand(rows(64, 0), b"info", 16).shape == (0, 16)
    assert hashing.blake2b(rows(0, 0), size=32).shape == (0, 32)


def test_a_message_of_many_blocks(backend: str):
    batch = rows(65_535, 9)
    assert found(hashing.sha512(batch)) == expected(batch, lambda row: hashlib.sha512(row).digest())
    assert found(hashing.blake2b(batch, size=32)) == expected(
        batch, lambda row: hashlib.blake2b(row, digest_size=32).digest()
    )


REFUSED: dict[str, Callable[[], object]] = {
    "no batch": lambda: hashing.sha512(b"text"),
    "one dimension": lambda: hashing.sha512(rows(5)[0]),
    "wide integers": lambda: hashing.sha512(rows(8).view(np.uint64)),
    "different lengths": lambda: hashing.sha512(rows(5, 2), rows(5, 3)),
    "too many batches": lambda: hashing.sha512(*[rows(5)] * 5),
    "key over a block": lambda: hashing.hmac_sha512(rows(129), b"text"),
    "keys of one dimension": lambda: hashing.hkdf_expand(rows(64)[0], b"info", 16),
    "no output": lambda: hashing.hkdf_expand(rows(64), b"info", 0),
    "more than one block": lambda: hashing.hkdf_expand(rows(64), b"info", 65),
    "long digest": lambda: hashing.blake2b(rows(5), size=65),
    "long key": lambda: hashing.blake2b(rows(5), size=32, key=bytes(65)),
    "long personalisation": lambda: hashing.blake2b(rows(5), size=32, person=bytes(17)),
    "long tag": lambda: hashing.expand_xmd(rows(5), tag=bytes(256)),
    "sealing with other keys than rows": lambda: hashing.seal(rows(32, 3), rows(5, 2)),
    "sealing with short keys": lambda: hashing.seal(rows(31), rows(5)),
    "sealing one dimension": lambda: hashing.seal(rows(32), rows(5)[0]),
    "sealing integers": lambda: hashing.seal(rows(32), rows(8).view(np.uint64)),
    "no thread": lambda: hashing.use_threads(0),
    "no such backend": lambda: hashing.use("md5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_refused(backend: str, case: str):
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        REFUSED[case]()
    assert hashing.backend_name() == backend


def test_a_path_that_does_not_run_here_is_no_backend():
    pytest.importorskip("blindmatch.protocol.hashing._native")
    from blindmatch.protocol.hashing._batch import NativeBackend  # noqa: PLC0415 - only where it was built

    with pytest.raises(ImportError, match="does not run"):
        NativeBackend("avx1024")
