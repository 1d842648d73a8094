"""The tables. Everything that could point at a person is a sealed blob; ids are lower-case hex."""

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

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

collections = Table(
    "collections",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("marking", String(40), nullable=False),
    Column("schema", String(100), nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("imported_at", BigInteger, nullable=False),
    Column("detail", LargeBinary, nullable=False),  # sealed JSON
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("agency", String(63), primary_key=True),
    Column("signature", LargeBinary, nullable=False),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("agency", String(63), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("withdrawn_at", BigInteger, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("agency", String(63), nullable=False),  # whose node brought it
)

contacts = Table(
    "contacts",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("agency", String(63), primary_key=True),
    Column("tried_at", BigInteger, nullable=False),
    Column("reached_at", BigInteger),
    Column("error", Text, nullable=False),  # of the last attempt, or empty
)

bindings = Table(
    "bindings",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("collection", ForeignKey("collections.id"), nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("agreement", ForeignKey("agreements.id"), nullable=False),
    Column("role", String(20), nullable=False),
    Column("peer", String(63), nullable=False),
    Column("collection", String(32), nullable=False),  # no foreign key: the history outlives the collection
    Column("state", String(40), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column(
        "place", BigInteger, nullable=False
    ),  # in the order of their beginnings: two may begin in one second
    Column("started_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("code", String(60), nullable=False),
    Column("reason", Text, nullable=False),
    Column("seed", LargeBinary),  # sealed; NULL once the edge has finished or failed
    Column("snapshot", LargeBinary),  # sealed; likewise
    Column(
        "receiver_rates", LargeBinary
    ),  # sealed; both statements stay: they say what the keys were made from
    Column("sender_rates", LargeBinary),  # sealed
    Column("receipt", LargeBinary),
    Column("receipt_signatures", Text),  # JSON: agency -> hex
    Index("edges_by_agreement", "agreement"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("round", String(32), primary_key=True),  # that opened it: the epoch's id
    Column("edge", String(100), primary_key=True),
    Column("agreement", ForeignKey("agreements.id"), nullable=False),
    Column("role", String(20), nullable=False),
    Column("peer", String(63), nullable=False),
    Column("collection", String(200), nullable=False),  # the name of what was compared last
    Column("opened_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # delta rounds so far
    Column("rounds", Text, nullable=False),  # JSON: the ids of all its rounds, the opening one first
    Column("state", LargeBinary, nullable=False),  # a digest that both sides hold
    Column("receiver_records", BigInteger, nullable=False),
    Column("sender_records", BigInteger, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("secret", LargeBinary),  # sealed; NULL once the epoch has ended
    Column("ended_at", BigInteger),
    Column("reason", Text, nullable=False),
    Index("epochs_by_agreement", "agreement"),
)

deltas = Table(
    "deltas",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("epoch", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column(
        "counts", Text, nullable=False
    ),  # JSON: [added, removed] of the receiver, of the sender; empty until closed
    ForeignKeyConstraint(["round", "edge"], ["edges.round", "edges.edge"]),
)

checks = Table(
    "checks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("epoch", String(32), nullable=False),
    Column("edge", String(100), nullable=False),
    Column("agreement", ForeignKey("agreements.id"), nullable=False),
    Column("peer", String(63), nullable=False),
    Column("came_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("looked", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # sealed, of one size whatever it says
)

check_counts = Table(
    "check_counts",
    metadata,
    Column("agreement", ForeignKey("agreements.id"), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("agency", String(63), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("count", BigInteger, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("payload", LargeBinary, nullable=False),  # sealed
    ForeignKeyConstraint(["round", "edge"], ["edges.round", "edges.edge"]),
)

tallies = Table(
    "tallies",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("payload", LargeBinary, nullable=False),  # sealed JSON: a number, as officers are told it
    Column("expires_at", BigInteger, nullable=False, index=True),
    ForeignKeyConstraint(["round", "edge"], ["edges.round", "edges.edge"]),
)

leads = Table(
    "leads",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),  # sealed
    Column("expires_at", BigInteger, nullable=False, index=True),
    ForeignKeyConstraint(["round", "edge"], ["edges.round", "edges.edge"]),
)

# Counts and sums: our own, and those that other agencies report to us, whose rounds are not ours.
numbers = Table(
    "numbers",
    metadata,
    Column("round", String(32), primary_key=True),
    Column("edge", String(100), primary_key=True),
    Column("agreement", ForeignKey("agreements.id"), nullable=False),
    Column("payload", LargeBinary, nullable=False),  # sealed
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("numbers_by_agreement", "agreement"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("user", String(200), nullable=False),
    Column("event", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("recipient", String(200), nullable=False),
    Column("justification", Text, nullable=False),
    Column("detail", Text, nullable=False),  # canonical JSON
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
