"""Every bound in one place, each with its unit and its reason."""

from dataclasses import dataclass

PROTOCOL_VERSION = 1
"""The version in every message's header; a peer that says another is refused."""

POINT_BYTES = 32
"""RFC 9496: an encoded ristretto255 element."""

SCALAR_BYTES = 32
"""RFC 9496: an encoded scalar, little-endian, below the group's order."""

UNIFORM_BYTES = 64
"""RFC 9496 4.3.4: uniform bytes per derived element."""

OUTPUT_BYTES = 64
"""RFC 9497 4.1: Nh of ristretto255-SHA512."""

PROOF_BYTES = 64
"""RFC 9497 2.2: the two scalars c and s of a DLEQ proof."""

DIGEST_BYTES = 32
"""SHA-512/256, used for every digest of our own."""

TAG_BYTES = 16
"""128 bits: 10^7 x 10^7 comparisons collide with probability below 2^-80."""

LEVEL_BYTES = 16
"""One level's digest of one record."""

TOKEN_BYTES = 32
"""One key's token of one record."""

SEED_BYTES = 32
"""One edge's secret seed, from which its blinds, its order and its OPRF key come."""

SIGNATURE_BYTES = 64
"""Ed25519."""

AEAD_OVERHEAD_BYTES = 16
"""ChaCha20-Poly1305's tag on a sealed fact payload."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what a node accepts. The defaults are the product's; tests shrink them."""

    chunk_elements: int = 16_384
    """Elements per chunk: 512 KiB of points, far below gRPC's 4 MB. Measured: what a chunk costs beside its points
    is then a hundredth of them; see docs/adr/0011."""

    chunk_tag_bytes: int = 1 << 20
    """Bytes of tag rows per chunk; wide fact payloads lower the rows, not the limit."""

    message_bytes: int = 2 << 20
    """Largest message on the wire; half of gRPC's default, twice the largest chunk."""

    agreement_bytes: int = 1 << 20
    """Every edge carries its own words: 64 parties with 800 edges are about 1 MiB. Half a message, since what parties
    said when they left travels with it."""

    parties: int = 64
    edges: int = 1_024
    thresholds: int = 16
    text_characters: int = 4_000
    """Longest free text in an agreement (purpose, leakage)."""

    reason_characters: int = 1_000
    """Why a party declines or withdraws: those of 64 parties fit into one message beside the agreement."""

    records: int = 20_000_000
    """Records per side of one edge."""

    elements: int = 200_000_000
    """Elements per side of one edge: 6 GiB of points on disk."""

    threshold_bins: int = 1 << 22
    """Bins of one of a threshold's 54 tables: 3.4 GiB of cells per member, for 8 million elements of t members."""

    tokens_per_record: int = 512
    """Match keys of a record times its alternative names and dates, at most."""

    keys: int = 254
    """Match keys of one round: a key's number is one byte, and 255 marks a filler."""

    fact_bytes: int = 512
    """Facts that travel with one hit, padded to the agreed size."""

    rounds: int = 10_000
    """Largest budget of rounds in one agreement."""

    sum_total: int = 1 << 40
    """Largest total of a sum, in its smallest unit: 10.9 thousand million pounds in pence."""

    epoch_days: int = 366
    """Longest life of one epoch's key."""

    checks_per_day: int = 10_000
    """Largest number of single records that one party may compare per edge and day."""

    retention_days: int = 3_650
    clock_skew_seconds: int = 300
    """How far two honest nodes' clocks may differ."""

    row_bytes: int = 64 << 10
    """Largest line of an input file; beyond it the row is an error, not memory."""


LIMITS = Limits()
