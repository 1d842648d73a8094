import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from tests.support.hits_sessions import Edge

from blindmatch.protocol.hits import tags

CONTEXT = Edge.of([1], [1], facts=[1]).context
OUTPUTS = np.arange(3 * 64, dtype=np.uint8).reshape(3, 64)


def _info(label):
    parts = (label, CONTEXT.agreement, CONTEXT.edge.encode(), CONTEXT.round_id)
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def test_tags_are_hkdf_expand():
    expected = [
        HKDFExpand(SHA512(), 16, _info(b"blindmatch/tag/v1")).derive(row.tobytes()) for row in OUTPUTS
    ]
    assert [row.tobytes() for row in tags.derive_tags(OUTPUTS, CONTEXT)] == expected


def test_facts_are_sealed_under_their_own_key_and_open():
    facts = np.arange(3 * 24, dtype=np.uint8).reshape(3, 24)
    sealed = tags.seal_facts(OUTPUTS, facts, CONTEXT)
    assert sealed.shape == (3, 40)
    key = HKDFExpand(SHA512(), 32, _info(b"blindmatch/facts/v1")).derive(OUTPUTS[1].tobytes())
    assert ChaCha20Poly1305(key).decrypt(bytes(12), sealed[1].tobytes(), None) == facts[1].tobytes()
    sealed[2, 0] ^= 1
    opened, good = tags.open_facts(OUTPUTS, sealed, CONTEXT)
    assert np.array_equal(opened[:2], facts[:2])
    assert not opened[2].any()
    assert good.tolist() == [True, True, False]


def test_facts_of_another_element_do_not_open():
    sealed = tags.seal_facts(OUTPUTS, np.zeros((3, 24), dtype=np.uint8), CONTEXT)
    _, good = tags.open_facts(OUTPUTS[::-1].copy(), sealed, CONTEXT)
    assert good.tolist() == [False, True, False]
