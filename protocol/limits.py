"""Sizes fixed by the protocol, and the limits of what a node accepts; each with its unit and its reason."""

from dataclasses import dataclass

PROTOCOL_VERSION = 1
"""The protocol version, in every message's header. A peer with another version is refused."""

POINT_BYTES = 32
"""Bytes of an encoded ristretto255 element (RFC 9496 4)."""

SCALAR_BYTES = 32
"""Bytes of an encoded scalar: little-endian, below the order of the group (RFC 9496 4.4)."""

UNIFORM_BYTES = 64
"""Uniform bytes from which one element is derived (RFC 9496 4.3.4)."""

OUTPUT_BYTES = 64
"""Bytes of an OPRF output: Nh of the suite ristretto255-SHA512 (RFC 9497 4.1)."""

PROOF_BYTES = 64
"""Bytes of a DLEQ proof: its two scalars c and s (RFC 9497 2.2)."""

DIGEST_BYTES = 32
"""Bytes of SHA-512/256 (FIPS 180-4), the hash of every digest that blindmatch defines."""

TAG_BYTES = 16
"""Bytes of a tag: with 128 bits, a false match among 10^7 x 10^7 comparisons has a probability below 2^-80."""

LEVEL_BYTES = 16
"""Bytes of the digest of one level of one record."""

TOKEN_BYTES = 32
"""Bytes of the token of one match key of one record."""

SEED_BYTES = 32
"""Bytes of an edge's secret seed, from which its blinds, its permutations and its OPRF key derive."""

SIGNATURE_BYTES = 64
"""Bytes of an Ed25519 signature (RFC 8032)."""

AEAD_OVERHEAD_BYTES = 16
"""Bytes that ChaCha20-Poly1305 adds to a sealed fact payload (RFC 8439 2.8)."""


@dataclass(frozen=True)
class Limits:
    """Limits of what a node accepts. The defaults are the product's; tests use smaller ones."""

    chunk_elements: int = 16_384
    """Elements per chunk: 512 KiB of points, well below gRPC's default limit of 4 MB. At this size the fixed cost of a chunk
    was measured at one hundredth of the cost of its points; see docs/adr/0011."""

    chunk_tag_bytes: int = 1 << 20
    """Bytes of tag rows per chunk. With wide fact payloads a chunk has fewer rows; the limit in bytes is the same."""

    message_bytes: int = 2 << 20
    """Bytes of the largest message: half of gRPC's default limit, and twice the largest chunk."""

    agreement_bytes: int = 1 << 20
    """Bytes of the largest agreement. Every edge includes its own leakage text: 64 parties with 800 edges need about 1 MiB.
    Half of a message, because the withdrawals are sent in the same message."""

    parties: int = 64
    """Parties of one agreement; see `reason_characters`."""

    edges: int = 1_024
    """Edges of one agreement; see `agreement_bytes`."""

    thresholds: int = 16
    """Thresholds of one agreement."""

    text_characters: int = 4_000
    """Characters of the longest free text in an agreement (purpose, leakage)."""

    reason_characters: int = 1_000
    """Characters of the reason for which a party declines or withdraws: the reasons of 64 parties and the agreement fit into one message."""

    records: int = 20_000_000
    """Records of one side of one edge."""

    elements: int = 200_000_000
    """Elements of one side of one edge: 6 GiB of points on disk."""

    threshold_bins: int = 1 << 22
    """Bins of each of a threshold's 54 tables: 3.4 GiB of cells per member, for 8 million elements of t members."""

    tokens_per_record: int = 512
    """Tokens of one record: its match keys times its alternative names and dates."""

    keys: int = 254
    """Match keys of one round, and of one schema: the index of a key is one byte, and 255 marks a dummy element."""

    fact_bytes: int = 512
    """Bytes of the facts sent with one hit, padded to the agreed size."""

    rounds: int = 10_000
    """Rounds in the budget of one agreement."""

    sum_total: int = 1 << 40
    """Largest total of a sum, in its smallest unit: in pence, 10.9 thousand million pounds."""

    epoch_days: int = 366
    """Days for which the key of one epoch is valid."""

    checks_per_day: int = 10_000
    """Single checks that one party may make on one edge in one day."""

    retention_days: int = 3_650
    """Days for which results may be stored: ten years."""

    clock_skew_seconds: int = 300
    """Seconds by which the clocks of two honest nodes can differ."""

    row_bytes: int = 64 << 10
    """Bytes of the longest line of an input file. A longer line is reported as an error and not read into memory."""


LIMITS = Limits()
