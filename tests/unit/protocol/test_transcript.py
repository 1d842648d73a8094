import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.transcript import (
    Ed25519Signer,
    Signed,
    Transcript,
    decode,
    digest,
    encode,
    pre_authentication,
    sign,
    verify,
)

SIGNER = Ed25519Signer("police", Ed25519PrivateKey.from_private_bytes(b"p" * 32))
OTHER = Ed25519Signer("council", Ed25519PrivateKey.from_private_bytes(b"c" * 32))
TYPE = "application/vnd.blindmatch.commitment.v1"


def test_digest_is_sha512_256_over_prefixed_parts():
    if "sha512_256" not in hashlib.algorithms_available:
        pytest.skip("this interpreter's hashlib has no SHA-512/256 to compare with")
    parts = [b"blindmatch/digest/v1", b"ab", b""]
    expected = hashlib.new("sha512_256", b"".join(len(p).to_bytes(8, "big") + p for p in parts)).digest()
    assert digest(b"ab", b"") == expected
    assert len(expected) == 32


def test_digest_takes_views():
    assert digest(memoryview(b"abc")) == digest(b"abc")


def test_digest_keeps_parts_apart():
    assert len({digest(b"ab", b"c"), digest(b"a", b"bc"), digest(b"abc"), digest(b"abc", b""), digest()}) == 5


def test_encoding_is_read_back():
    fields = decode("label", encode("label", b"\x00\x01", "Zoë", 7, 2**64 - 1))
    assert fields.data(2) == b"\x00\x01"
    assert fields.text() == "Zoë"
    assert fields.integer() == 7
    assert fields.integer() == 2**64 - 1
    fields.end()


def test_no_two_lists_of_fields_share_an_encoding():
    lists = [(), (b"",), ("",), (0,), (b"a", b"b"), (b"ab",), ("ab",), ("a", "b"), (bytes(8),)]
    assert len({encode("label", *fields) for fields in lists}) == len(lists)
    assert encode("a", "b") != encode("b", "a")


def test_equal_kinds_and_lengths_give_equal_sizes():
    assert len(encode("label", 0, b"ab")) == len(encode("label", 2**63, b"cd"))


@pytest.mark.parametrize("number", [-1, 2**64])
def test_integers_out_of_range_are_refused(number):
    with pytest.raises(OverflowError):
        encode("label", number)


def _refused(code, call, *args):
    with pytest.raises(PeerError) as caught:
        call(*args)
    assert caught.value.code is code


def test_another_label_is_refused():
    _refused(PeerCode.BAD_MESSAGE, decode, "label", encode("lab", b"el"))


def test_another_kind_is_refused():
    data = encode("label", b"12345678")
    for call in (decode("label", data).integer, decode("label", data).text):
        _refused(PeerCode.BAD_MESSAGE, call)


def test_another_size_is_refused():
    _refused(PeerCode.BAD_MESSAGE, decode("label", encode("label", b"abc")).data, 2)


def test_every_truncation_is_refused():
    data = encode("label", b"abc", "d", 5)

    def read(part):
        fields = decode("label", part)
        fields.data(3)
        fields.text()
        fields.integer()

    for cut in range(len(data)):
        _refused(PeerCode.BAD_MESSAGE, read, data[:cut])
    read(data)


def test_bytes_behind_the_last_field_are_refused():
    fields = decode("label", encode("label", 1) + b"\x00")
    fields.integer()
    _refused(PeerCode.BAD_MESSAGE, fields.end)


def test_text_that_is_not_utf8_is_refused():
    data = encode("label", "xy").replace(b"xy", b"\xff\xfe")
    _refused(PeerCode.BAD_MESSAGE, decode("label", data).text)


def test_an_integer_of_another_size_is_refused():
    data = encode("label", b"abc").replace(b"b\x00\x00\x00\x03abc", b"i\x00\x00\x00\x03abc")
    _refused(PeerCode.BAD_MESSAGE, decode("label", data).integer)


def test_transcript_depends_on_every_step_and_their_order():
    def of(*steps):
        running = Transcript()
        for label, part in steps:
            running.add(label, part)
        return running.value

    one, two = ("chunk", b"1"), ("chunk", b"2")
    assert len({of(), of(one), of(two), of(one, two), of(two, one), of(("other", b"1"))}) == 6


def test_transcript_goes_on_from_its_value():
    running = Transcript()
    running.add("chunk", b"1")
    resumed = Transcript(running.value)
    for each in (running, resumed):
        each.add("chunk", b"2")
    assert running.value == resumed.value


def test_transcript_refuses_another_size():
    with pytest.raises(ValueError, match="32 bytes"):
        Transcript(b"short")


def test_pre_authentication_is_dsse():
    # The example in DSSE's own specification (protocol.md, version 1).
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_signatures_verify():
    signed = sign(SIGNER, TYPE, b"payload")
    assert signed.payload == b"payload"
    verify(SIGNER.public, TYPE, signed.payload, signed.signature)


@pytest.mark.parametrize(
    ("key", "kind", "payload"),
    [
        (OTHER.public, TYPE, b"payload"),
        (SIGNER.public, TYPE + "x", b"payload"),
        (SIGNER.public, TYPE, b"payloae"),
        (b"short", TYPE, b"payload"),
    ],
)
def test_another_key_type_or_payload_does_not_verify(key, kind, payload):
    signature = sign(SIGNER, TYPE, b"payload").signature
    _refused(PeerCode.BAD_SIGNATURE, verify, key, kind, payload, signature)


def test_a_flipped_bit_does_not_verify():
    signature = bytearray(sign(SIGNER, TYPE, b"payload").signature)
    signature[40] ^= 1
    _refused(PeerCode.BAD_SIGNATURE, verify, SIGNER.public, TYPE, b"payload", bytes(signature))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_size_is_refused(size):
    _refused(PeerCode.BAD_SIGNATURE, Signed, b"payload", bytes(size))
    _refused(PeerCode.BAD_SIGNATURE, verify, SIGNER.public, TYPE, b"payload", bytes(size))


def test_repr_names_the_agency_only():
    assert repr(SIGNER) == "Ed25519Signer('police', <key>)"
