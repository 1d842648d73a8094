"""RFC 9497 appendix A.1, ristretto255-SHA512, modes OPRF and VOPRF, against every backend."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError

FOLDER = Path(__file__).parent / "rfc9497"
NAMES = ["oprf_1", "oprf_2", "voprf_1", "voprf_2", "voprf_3"]
VERIFIED = [name for name in NAMES if name.startswith("voprf")]


def load(name: str) -> dict:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def rows(encodings: list[str]) -> group.Bytes2D:
    return np.array([list(bytes.fromhex(text)) for text in encodings], dtype=np.uint8)


def key_pair(vector: dict) -> oprf.KeyPair:
    seed, info = bytes.fromhex(vector["seed"]), bytes.fromhex(vector["key_info"])
    return oprf.derive_key_pair(seed, info, oprf.Mode(vector["mode"]))


def points(vector: dict) -> group.Bytes2D:
    # The inputs of one vector differ in width, so each is a batch of its own here.
    mode = oprf.Mode(vector["mode"])
    return np.concatenate([oprf.hash_to_group(rows([text]), mode) for text in vector["inputs"]])


@pytest.fixture(params=group.available())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with group.using(request.param):
        yield request.param


def test_every_file_is_run():
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_derive_key_pair(backend: str, name: str):
    vector = load(name)
    pair = key_pair(vector)
    assert pair.secret.tobytes().hex() == vector["secret_key"]
    if "public_key" in vector:
        assert pair.public.tobytes().hex() == vector["public_key"]


@pytest.mark.parametrize("name", NAMES)
def test_the_published_domain_separates_hash_to_group(backend: str, name: str):
    # RFC 9380 5.3.1, written out here a second time with the tag that the RFC publishes.
    from hashlib import sha512  # noqa: PLC0415 - for this test's own expansion alone

    vector = load(name)
    tag = bytes.fromhex(vector["hash_to_group_tag"])
    tag += bytes([len(tag)])
    expected = []
    for text in vector["inputs"]:
        first = sha512(bytes(128) + bytes.fromhex(text) + b"\x00\x40\x00" + tag).digest()
        expected.append(sha512(first + b"\x01" + tag).hexdigest())
    np.testing.assert_array_equal(points(vector), group.from_uniform(rows(expected)))


@pytest.mark.parametrize("name", NAMES)
def test_blind_evaluate_unblind_finalize(backend: str, name: str):
    vector = load(name)
    secret = rows([vector["secret_key"]])[0]
    blinds = rows(vector["blinds"])
    blinded = group.multiply_each(points(vector), blinds)
    np.testing.assert_array_equal(blinded, rows(vector["blinded"]))
    evaluated = oprf.evaluate(secret, blinded)
    np.testing.assert_array_equal(evaluated, rows(vector["evaluated"]))
    unblinded = oprf.unblind(evaluated, blinds)
    for index, (text, output) in enumerate(zip(vector["inputs"], vector["outputs"], strict=True)):
        result = oprf.finalize(rows([text]), unblinded[index : index + 1])
        assert result.tobytes().hex() == output


@pytest.mark.parametrize("name", NAMES)
def test_evaluate_directly(backend: str, name: str):
    vector = load(name)
    secret = rows([vector["secret_key"]])[0]
    for index, (text, output) in enumerate(zip(vector["inputs"], vector["outputs"], strict=True)):
        result = oprf.finalize(rows([text]), group.multiply(points(vector)[index : index + 1], secret))
        assert result.tobytes().hex() == output


@pytest.mark.parametrize("name", NAMES)
def test_blind_and_evaluate_without_a_stop_at_the_points(backend: str, name: str):
    vector = load(name)
    mode, secret, blinds = oprf.Mode(vector["mode"]), rows([vector["secret_key"]])[0], rows(vector["blinds"])
    for index, text in enumerate(vector["inputs"]):
        blinded = oprf.blind_inputs(rows([text]), blinds[index : index + 1], mode)
        assert blinded.tobytes().hex() == vector["blinded"][index]
        assert oprf.evaluate_inputs(secret, rows([text]), mode).tobytes().hex() == vector["outputs"][index]


@pytest.mark.parametrize("name", VERIFIED)
def test_prove_and_verify(backend: str, name: str):
    vector = load(name)
    pair = key_pair(vector)
    blinded, evaluated = rows(vector["blinded"]), rows(vector["evaluated"])
    proof = oprf.prove(pair, blinded, evaluated, rows([vector["proof_scalar"]])[0])
    assert proof.hex() == vector["proof"]
    oprf.verify(pair.public, blinded, evaluated, proof)


def test_a_published_proof_does_not_cover_another_batch(backend: str):
    first, batch = load("voprf_1"), load("voprf_3")
    public = rows([batch["public_key"]])[0]
    with pytest.raises(PeerError) as caught:
        oprf.verify(public, rows(batch["blinded"]), rows(batch["evaluated"]), bytes.fromhex(first["proof"]))
    assert caught.value.code is PeerCode.BAD_PROOF
