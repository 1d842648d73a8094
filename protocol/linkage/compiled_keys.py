"""Compiled keys, and the one hash that makes a token of a record's level digests.

A token is BLAKE2b-256 of its levels' digests, personalised by its key. An element's input is
`LP(schema digest, 32) | LP(key id, 16) | LP(token, 32)` with `LP` a 2-byte big-endian length, so that every input has
the same width and two schemas, or two keys, can never yield one element.
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
"""The key number of an element that is only padding."""
MAX_COMPILED: Final = 254
GUARD: Final = 2
"""Records of one list that may share a token of a compiled key: beyond it the values are common, not telling."""


@dataclass(frozen=True)
class CompiledKey:
    """One key ready for gathers: `levels` index the columns; `weight` in bits; `chance` per pair of records."""

    name: str
    levels: tuple[int, ...]
    weight: float
    chance: float
    words: str
    id: bytes
    """16 bytes: the key's name inside elements, and the personalisation of its tokens."""
    absent_receiver: tuple[int, ...] = ()
    """Levels that a row on the receiver's side must not say: the receiver emits the key only then."""
    absent_sender: tuple[int, ...] = ()
    guarded: bool = False
    """Whether a side withholds a token of this key that more than `GUARD` of its own records share."""
    posterior: float = 1.0
    """The chance that a pair which agrees on this, and on nothing more, is one person, by the model."""
    gain: float = 0.0
    """Recall that the key adds to those before it, by the model."""


@dataclass(frozen=True)
class TradeOff:
    """What a threshold would give: keys, and leads to expect."""

    threshold: float
    keys: int
    expected_true: float
    expected_false: float


@dataclass(frozen=True)
class CompiledKeys:
    """The keys of one round, in order, and the 32-byte digest that both sides commit to."""

    schema: Schema
    keys: tuple[CompiledKey, ...]
    digest: bytes
    expected_true: float = 0.0
    """Leads to expect of the compiled patterns, by the model and the agreed overlap."""
    expected_false: float = 0.0
    recall: float = 0.0
    """Share of the true pairs that the compiled patterns find, by the model."""
    threshold: float = 0.0
    """Bits that a compiled pattern reaches at least."""
    trades: tuple[TradeOff, ...] = ()
    """Thresholds that the compiler looked at, strictest first."""

    def tokens_per_record(self, rows: int = 1) -> int:
        """The number to which every record is padded, for records of so many rows; the weakest keys go first.

        The same for every record of both sides, so that it says nothing of any.
        """
        return min(len(self.keys) * max(rows, 1), LIMITS.tokens_per_record)


def dump(compiled: CompiledKeys) -> bytes:
    """Compiled keys as JSON, without their schema: for who keeps them instead of compiling again."""
    said = asdict(replace(compiled, schema=None))  # type: ignore[arg-type] # left out
    del said["schema"]
    said["digest"] = compiled.digest.hex()
    for key in said["keys"]:
        key["id"] = key["id"].hex()
    return json.dumps(said, separators=(",", ":")).encode()


def load(data: bytes, schema: Schema) -> CompiledKeys:
    """What `dump` wrote, under the same schema; only of one's own making, and protected from alteration."""
    said = json.loads(data)
    keys = [
        CompiledKey(
            **key
            | {"id": bytes.fromhex(key["id"])}
            | {name: tuple(key[name]) for name in ("levels", "absent_receiver", "absent_sender")}
        )
        for key in said.pop("keys")
    ]
    trades = tuple(TradeOff(**trade) for trade in said.pop("trades"))
    digest = bytes.fromhex(said.pop("digest"))
    return CompiledKeys(schema=schema, keys=tuple(keys), digest=digest, trades=trades, **said)


def key_id(name: str) -> bytes:
    """A key's 16 bytes inside elements."""
    return blake2b(name.encode(), digest_size=KEY_ID_BYTES, person=b"blindmatch key").digest()


def keys_digest(schema: Schema, keys: Sequence[CompiledKey], inputs: bytes = b"") -> bytes:
    """32 bytes over the keys in their order and what they were compiled from."""
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/keys/v1\0" + schema.digest + inputs)
    for made in keys:
        hasher.update(made.id + len(made.levels).to_bytes(2, "big") + bytes(made.levels))
    return hasher.finalize()


def describe_levels(schema: Schema, levels: Sequence[int]) -> str:
    """What a key asks for, for people."""
    names = [schema.levels[level].words for level in levels]
    return "same " + (f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0])


def token_rows(rows: Bytes2D, person: bytes) -> Bytes2D:
    """The token of each row of level digests, BLAKE2b-256: (n, 32)."""
    return hashing.blake2b(rows, size=TOKEN_BYTES, person=person)
