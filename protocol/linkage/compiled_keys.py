"""Compiled match keys, and the hash that turns a record's level digests into tokens.

A token is BLAKE2b-256 of its levels' digests, personalised by its key (RFC 7693). An element's input is
`LP(schema digest, 32) | LP(key id, 16) | LP(token, 32)`, where `LP` is a 2-byte big-endian length before the bytes: every
input has the same width, and elements of different schemas or keys are never equal.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol import hashing
from blindmatch.protocol.limits import LIMITS, TOKEN_BYTES
from blindmatch.protocol.linkage.schema import Schema

Bytes2D = npt.NDArray[np.uint8]

KEY_ID_BYTES: Final = 16
DUMMY: Final = 255
"""The key index of a dummy element, which is padding only."""
GUARD: Final = 2
"""People or companies of one list that can share a token of a compiled key; a token of more is too common to identify anyone."""


@dataclass(frozen=True)
class CompiledKey:
    """One key: `levels` index the columns of level digests, `weight` is in bits, `chance` is a probability per pair of records.

    The fields are stored as JSON by `dump`: their names never change.
    """

    name: str
    levels: tuple[int, ...]
    weight: float
    chance: float
    words: str
    id: bytes
    """16 bytes: identifies the key in elements, and personalises its tokens."""
    absent_receiver: tuple[int, ...] = ()
    """Levels that must be missing: the receiver makes a token of this key only for rows without them."""
    absent_sender: tuple[int, ...] = ()
    """The same for the sender."""
    guarded: bool = False
    """Whether a side withholds a token of this key that more than `GUARD` people or companies of its list share."""
    posterior: float = 1.0
    """The probability, by the model, that a pair which agrees on this key and nothing else is one person."""
    gain: float = 0.0
    """Recall that this key adds to the keys before it, by the model."""


@dataclass(frozen=True)
class TradeOff:
    """The number of keys and the expected leads at one threshold, in bits."""

    threshold: float
    keys: int
    expected_true: float
    expected_false: float


@dataclass(frozen=True)
class CompiledKeys:
    """The keys of one round, in order, and the digest (32 bytes) to which both sides commit."""

    schema: Schema
    keys: tuple[CompiledKey, ...]
    digest: bytes
    expected_true: float = 0.0
    """Expected true leads of the compiled patterns, by the model and the agreed overlap."""
    expected_false: float = 0.0
    """Expected false leads of the compiled patterns, by the model."""
    recall: float = 0.0
    """Share of the true pairs that the compiled patterns find, by the model."""
    threshold: float = 0.0
    """The lowest score of a compiled pattern, in bits."""
    trades: tuple[TradeOff, ...] = ()
    """The thresholds that the compiler tried, highest first."""

    def tokens_per_record(self, rows: int = 1) -> int:
        """The number of tokens to which every record is padded or cut, for records of `rows` rows.

        It is the same for every record of both sides, so that it discloses nothing about any record.
        """
        return min(len(self.keys) * max(rows, 1), LIMITS.tokens_per_record)


def dump(compiled: CompiledKeys) -> bytes:
    """Compiled keys as JSON, without their schema, for a node that stores them instead of compiling again."""
    document = asdict(replace(compiled, schema=None))  # type: ignore[arg-type] # left out
    del document["schema"]
    document["digest"] = compiled.digest.hex()
    for key in document["keys"]:
        key["id"] = key["id"].hex()
    return json.dumps(document, separators=(",", ":")).encode()


def load(data: bytes, schema: Schema) -> CompiledKeys:
    """Read what `dump` wrote, under the same schema. The data must be the node's own, and protected against alteration."""
    document = json.loads(data)
    keys = [
        CompiledKey(
            **key
            | {"id": bytes.fromhex(key["id"])}
            | {name: tuple(key[name]) for name in ("levels", "absent_receiver", "absent_sender")}
        )
        for key in document.pop("keys")
    ]
    trades = tuple(TradeOff(**trade) for trade in document.pop("trades"))
    digest = bytes.fromhex(document.pop("digest"))
    return CompiledKeys(schema=schema, keys=tuple(keys), digest=digest, trades=trades, **document)


def key_id(name: str) -> bytes:
    """The 16 bytes that identify a key in elements."""
    return blake2b(name.encode(), digest_size=KEY_ID_BYTES, person=b"blindmatch key").digest()


def keys_digest(schema: Schema, keys: Sequence[CompiledKey], inputs: bytes = b"") -> bytes:
    """SHA-512/256 over the keys in their order and the inputs from which they were compiled: 32 bytes."""
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/keys/v1\0" + schema.digest + inputs)
    for key in keys:
        hasher.update(key.id + len(key.levels).to_bytes(2, "big") + bytes(key.levels))
    return hasher.finalize()


def describe_levels(schema: Schema, levels: Sequence[int]) -> str:
    """The levels of a key in words: `same surname and date of birth`."""
    names = [schema.levels[level].words for level in levels]
    return "same " + (f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0])


def token_rows(rows: Bytes2D, person: bytes) -> Bytes2D:
    """The token of each row (n, width) of level digests, BLAKE2b-256: (n, 32)."""
    return hashing.blake2b(rows, size=TOKEN_BYTES, person=person)
