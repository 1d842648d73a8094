"""The tables. Everything that could identify a person is a sealed blob; ids are lower-case hex; times are seconds since 1970, UTC.

Each column's description is shown in docs/data-model.md, which `make docs` writes.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1
"""Raised with every change of a table, together with a migration from the version before."""

DESCRIPTION = "description"
"""The key of `Column.info` that holds a column's description."""

metadata = MetaData()


def _column(name: str, kind: Any, description: str, **options: Any) -> Column[Any]:
    """A column of a type or with a foreign key, that must have a value unless `nullable=True`."""
    return Column(name, kind, info={DESCRIPTION: description}, **({"nullable": False} | options))


def _key(name: str, kind: Any, description: str) -> Column[Any]:
    """A column of the primary key, set by the caller."""
    return _column(name, kind, description, primary_key=True, autoincrement=False)


def _edge_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["round", "edge"], ["edges.round", "edges.edge"])


_AGREEMENT = "the agreement"
_EDGE = "the edge's id in the agreement"
_ROUND = "the round"
_EXPIRES = "when retention ends and the row is erased"

schema_version = Table("schema_version", metadata, _key("version", Integer, "the version of these tables"))

collections = Table(
    "collections",
    metadata,
    _key("id", String(32), "random, and the name of the collection's folder"),
    _column("name", String(200), "as the administrator chose it", unique=True),
    _column("kind", String(40), "subjects or suppliers"),
    _column("marking", String(40), "the protective marking"),
    _column("schema", String(100), "the linkage schema it was imported under"),
    _column("records", BigInteger, "how many records it has"),
    _column("rows", BigInteger, "how many rows were read"),
    _column("imported_at", BigInteger, "when the import was complete"),
    _column("detail", LargeBinary, "sealed JSON: everything else about the import"),
)

agreements = Table(
    "agreements",
    metadata,
    _key("id", String(64), "the digest of the payload"),
    _column("payload", LargeBinary, "the exact bytes that are signed"),
    _column("received_at", BigInteger, "when this node first stored it"),
)

signatures = Table(
    "signatures",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _key("agency", String(63), "who signed"),
    _column("signature", LargeBinary, "verified before it is stored"),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _key("agency", String(63), "who declined or withdrew"),
    _column("payload", LargeBinary, "the exact bytes of the statement"),
    _column("signature", LargeBinary, "verified before it is stored"),
    _column("withdrawn_at", BigInteger, "when this node stored it"),
)

proposals = Table(
    "proposals",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _column("agency", String(63), "whose node proposed it to this one"),
)

contacts = Table(
    "contacts",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _key("agency", String(63), "the other party"),
    _column("tried_at", BigInteger, "the last attempt to reach it about the agreement"),
    _column("reached_at", BigInteger, "the last attempt that succeeded", nullable=True),
    _column("error", Text, "why the last attempt failed, or empty"),
)

bindings = Table(
    "bindings",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _key("edge", String(100), _EDGE),
    _column("collection", ForeignKey("collections.id"), "what this node contributes to the edge"),
)

edges = Table(
    "edges",
    metadata,
    _key("round", String(32), _ROUND),
    _key("edge", String(100), _EDGE),
    _column("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _column("role", String(20), "this node's role: receiver, sender, member or collector"),
    _column("peer", String(63), "the other side; for a member, the collector"),
    # No foreign key: the history of an edge outlives its collection.
    _column("collection", String(32), "what this node contributes, which may be deleted by now"),
    _column("state", String(40), "the session's state; `closed` and `failed` are terminal"),
    _column("done", BigInteger, "chunks of work done"),
    _column("total", BigInteger, "chunks of work in all; 0 while unknown"),
    # Two edges may start in one second, so times do not order them.
    _column("place", BigInteger, "the order in which edges started on this node"),
    _column("started_at", BigInteger, "when the edge started here"),
    _column("updated_at", BigInteger, "the last change of this row"),
    _column("finished_at", BigInteger, "when it reached a terminal state", nullable=True),
    _column("code", String(60), "why it failed or waits, or empty"),
    _column("reason", Text, "the same in words, without any value from a record"),
    _column("seed", LargeBinary, "sealed; erased in a terminal state", nullable=True),
    _column("snapshot", LargeBinary, "sealed checkpoint; erased in a terminal state", nullable=True),
    _column(
        "receiver_rates",
        LargeBinary,
        "sealed signed statement; stays, since the match keys follow from it",
        nullable=True,
    ),
    _column("sender_rates", LargeBinary, "the same of the sender", nullable=True),
    _column("receipt", LargeBinary, "the exact bytes that were signed", nullable=True),
    _column("receipt_signatures", Text, "JSON: agency to hex", nullable=True),
    Index("edges_by_agreement", "agreement"),
)

epochs = Table(
    "epochs",
    metadata,
    _key("round", String(32), "the round that opened it, which is the epoch's id"),
    _key("edge", String(100), _EDGE),
    _column("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _column("role", String(20), "this node's role"),
    _column("peer", String(63), "the other side"),
    _column("collection", String(200), "the name of the collection that was compared last"),
    _column("opened_at", BigInteger, "when it opened"),
    _column("ends_at", BigInteger, "the latest time at which it may be used"),
    _column("number", Integer, "delta rounds so far"),
    _column("rounds", Text, "JSON: the ids of all its rounds, the opening one first"),
    _column("state", LargeBinary, "a digest that both sides hold"),
    _column("receiver_records", BigInteger, "records of the receiver's list"),
    _column("sender_records", BigInteger, "records of the sender's list"),
    _column("public_key", LargeBinary, "the sender's OPRF public key where evaluation is verified"),
    _column("secret", LargeBinary, "sealed; erased when the epoch ends", nullable=True),
    _column("ended_at", BigInteger, "when it ended", nullable=True),
    _column("reason", Text, "why it ended, or empty"),
    Index("epochs_by_agreement", "agreement"),
)

deltas = Table(
    "deltas",
    metadata,
    _key("round", String(32), "the delta round"),
    _key("edge", String(100), _EDGE),
    _column("epoch", String(32), "the epoch it belongs to"),
    _column("number", Integer, "its number within the epoch, from 1"),
    _column("counts", Text, "JSON: [added, removed] of the receiver, of the sender; empty until closed"),
    _edge_key(),
)

checks = Table(
    "checks",
    metadata,
    _key("id", String(32), "the submission"),
    _column("epoch", String(32), "the epoch it was made under"),
    _column("edge", String(100), _EDGE),
    _column("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _column("peer", String(63), "who submitted it"),
    _column("came_at", BigInteger, "when it came"),
    _column("expires_at", BigInteger, _EXPIRES, index=True),
    _column("looked", Integer, "1 once it was looked up, else 0"),
    _column("payload", LargeBinary, "sealed; of one size whatever it holds"),
)

check_counts = Table(
    "check_counts",
    metadata,
    _key("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _key("edge", String(100), _EDGE),
    _key("agency", String(63), "who made the checks"),
    _key("day", Integer, "days since 1970, UTC"),
    _column("count", BigInteger, "checks on that day"),
)

statements = Table(
    "statements",
    metadata,
    _key("round", String(32), _ROUND),
    _key("edge", String(100), _EDGE),
    _key("name", String(100), "whose statement"),
    _column("payload", LargeBinary, "sealed signed statement of rates"),
    _edge_key(),
)

tallies = Table(
    "tallies",
    metadata,
    _key("round", String(32), _ROUND),
    _key("edge", String(100), _EDGE),
    _column("payload", LargeBinary, "sealed JSON: what the collector of a threshold learned, for officers"),
    _column("expires_at", BigInteger, _EXPIRES, index=True),
    _edge_key(),
)

leads = Table(
    "leads",
    metadata,
    _key("round", String(32), _ROUND),
    _key("edge", String(100), _EDGE),
    _key("position", Integer, "the order of the leads, from 0"),
    _column("payload", LargeBinary, "sealed JSON: one lead"),
    _column("expires_at", BigInteger, _EXPIRES, index=True),
    _edge_key(),
)

# No foreign key to edges: other agencies report counts and sums of rounds that are not this node's.
numbers = Table(
    "numbers",
    metadata,
    _key("round", String(32), _ROUND),
    _key("edge", String(100), _EDGE),
    _column("agreement", ForeignKey("agreements.id"), _AGREEMENT),
    _column("payload", LargeBinary, "sealed: a count or a sum with its statements"),
    _column("expires_at", BigInteger, _EXPIRES, index=True),
    Index("numbers_by_agreement", "agreement"),
)

audit = Table(
    "audit",
    metadata,
    _key("seq", BigInteger, "from 1, without gaps"),
    _column("time", BigInteger, "when it was written"),
    _column("user", String(200), "who acted, as the operating system knows them"),
    _column("event", String(40), "one of the event words of the Data Protection Act 2018, section 62"),
    _column("subject", Text, "what the entry is about"),
    _column("recipient", String(200), "to whom data was disclosed, or empty"),
    _column("justification", Text, "the stated reason, or empty"),
    _column("detail", Text, "canonical JSON"),
    _column("previous", LargeBinary, "the hash of the entry before"),
    _column("hash", LargeBinary, "over every other field but the signature"),
    _column("signature", LargeBinary, "of the node's identity key over the hash"),
)
