"""Edges: one row per edge and round, with its sealed seed and snapshot while it runs, and its receipt afterwards."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, func, not_, or_, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import DeltaRow, EdgeRow, from_columns
from blindmatch.node.storage.store.tables import deltas, statements
from blindmatch.node.storage.store.tables import edges as table
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError
from blindmatch.protocol.limits import SIGNATURE_BYTES
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed

CLOSED = "closed"
FAILED = "failed"

_LONGEST_REASON = 400
"""Characters of a reason that are stored; a peer may have written it."""

_LEAST_WASTED = 100
"""Rounds that may fail before their first chunk, or as many as the budget allows if that is more."""

_RATES = ("receiver_rates", "sender_rates")
_SEALED = ("seed", "snapshot", *_RATES)
_COUNTED = or_(table.c.state != FAILED, table.c.done > 0)
"""Rounds against the budget: not one that failed before its first chunk."""

_PUBLIC_COLUMNS = [column for column in table.c if column.name not in _SEALED]


class Edges(Database):
    """The store's methods on edges."""

    def start_edge(
        self,
        row: EdgeRow,
        seed: bytes,
        *,
        rounds_budget: int | None = None,
        delta: DeltaRow | None = None,
    ) -> None:
        """Store a new edge and its seed, before any message about it is sent.

        Args:
            row: round, edge, agreement, role, peer, collection, state, started_at, and the receiver's rates where
                they are there already; the rest is ignored.
            seed: 32 secret bytes, sealed here and wiped by `finish` and `fail`.
            rounds_budget: refuse when this many other rounds have used the edge; checked in the same
                transaction, so that two rounds that start at once cannot both take the last one.
            delta: what makes it a delta round.

        Raises:
            PeerError: BUDGET_SPENT.
            StoreError: this edge of this round exists already.
        """
        key = _key(row.round_id, row.edge)
        with self.write("edges") as connection:
            if connection.execute(select(table.c.edge).filter_by(**key)).first() is not None:
                raise StoreError(f"edge {row.edge} of round {row.round_id.hex()} has started already")
            if rounds_budget is not None:
                _check_budget(connection, row, rounds_budget)
            connection.execute(
                table.insert().values(
                    **key,
                    agreement=row.agreement_id.hex(),
                    role=row.role,
                    peer=row.peer,
                    collection=row.collection_id,
                    state=row.state,
                    done=0,
                    total=row.total,
                    place=select(func.coalesce(func.max(table.c.place), 0) + 1).scalar_subquery(),
                    started_at=row.started_at,
                    updated_at=row.started_at,
                    code="",
                    reason="",
                    seed=self._sealer.seal(seed, _context(row.round_id, row.edge, "seed")),
                    receiver_rates=self._statement(row.round_id, row.edge, Role.RECEIVER, row.receiver_rates),
                )
            )
            if delta is not None:
                values = {"epoch": delta.epoch.hex(), "number": delta.number, "counts": ""}
                connection.execute(deltas.insert().values(**key, **values))

    def put_rates(self, round_id: bytes, edge: str, role: Role, signed: Signed) -> None:
        """Store one side's signed statement of rates. It is stored once; the same bytes again change nothing.

        Raises:
            StoreError: a different statement is stored already, or the edge is not running.
        """
        name = f"{role.value}_rates"
        with self.write("edges") as connection:
            stored = _of_running(connection, round_id, edge, table.c[name])
            if stored is not None:
                if self._sealer.open(stored, _context(round_id, edge, name)) != _packed(signed):
                    raise StoreError(f"edge {edge} of round {round_id.hex()} has other rates already")
                return
            change = table.update().filter_by(**_key(round_id, edge))
            sealed = self._statement(round_id, edge, role, signed)
            connection.execute(
                change.values({name: sealed, "updated_at": self.now(), "code": "", "reason": ""})
            )

    def _statement(self, round_id: bytes, edge: str, role: Role, signed: Signed | None) -> bytes | None:
        if signed is None:
            return None
        return self._sealer.seal(_packed(signed), _context(round_id, edge, f"{role.value}_rates"))

    def put_statement(self, round_id: bytes, edge: str, name: str, signed: Signed) -> None:
        """Store one party's signed statement on an edge of many parties. It is stored once; the same bytes again change nothing.

        Raises:
            StoreError: a different one is stored under this name already, or the edge is not running.
        """
        key = {**_key(round_id, edge), "name": name}
        context = _context(round_id, edge, f"statements/{name}")
        with self.write("statements") as connection:
            _of_running(connection, round_id, edge, table.c.edge)
            stored = connection.execute(select(statements.c.payload).filter_by(**key)).scalar()
            if stored is None:
                sealed = self._sealer.seal(_packed(signed), context)
                connection.execute(statements.insert().values(**key, payload=sealed))
            elif self._sealer.open(stored, context) != _packed(signed):
                raise StoreError(
                    f"edge {edge} of round {round_id.hex()} has another statement {name} already"
                )

    def statements(self, round_id: bytes, edge: str) -> dict[str, Signed]:
        """The signed statements of an edge of many parties, by name."""
        query = select(statements.c.name, statements.c.payload).filter_by(**_key(round_id, edge))
        with self.read() as connection:
            rows = connection.execute(query).all()
        return {
            name: _unpacked(self._sealer.open(payload, _context(round_id, edge, f"statements/{name}")))
            for name, payload in rows
        }

    def find_edge(self, round_id: bytes, edge: str) -> EdgeRow | None:
        """One edge with its seed and snapshot opened, or None."""
        with self.read() as connection:
            row = connection.execute(select(table).filter_by(**_key(round_id, edge))).first()
        if row is None:
            return None
        secrets = {
            name: self._sealer.open(sealed, _context(round_id, edge, name))
            for name in _SEALED
            if (sealed := getattr(row, name)) is not None
        }
        return _edge(row, secrets)

    def edge(self, round_id: bytes, edge: str) -> EdgeRow:
        """One edge with its seed and snapshot opened.

        Raises:
            StoreError: there is none.
        """
        row = self.find_edge(round_id, edge)
        if row is None:
            raise StoreError(
                f"there is no edge {edge} of round {round_id.hex()}", hint="See `blindmatch round status`."
            )
        return row

    def edges(
        self, round_id: bytes | None = None, *, agreement_id: bytes | None = None, running: bool = False
    ) -> list[EdgeRow]:
        """Edges without their secrets, oldest first: all, or those of a round, of an agreement, or still running."""
        query = select(*_PUBLIC_COLUMNS).order_by(table.c.place)
        if round_id is not None:
            query = query.where(table.c.round == round_id.hex())
        if agreement_id is not None:
            query = query.where(table.c.agreement == agreement_id.hex())
        if running:
            query = query.where(table.c.finished_at.is_(None))
        with self.read() as connection:
            return [_edge(row) for row in connection.execute(query)]

    def checkpoint(
        self, round_id: bytes, edge: str, *, state: str, snapshot: bytes, done: int, total: int
    ) -> None:
        """Store the checkpoint of a running edge. It is durable when this returns, so the caller may then send.

        Raises:
            StoreError: there is no such edge, or it has finished or failed.
        """
        sealed = self._sealer.seal(snapshot, _context(round_id, edge, "snapshot"))
        values = {"state": state, "snapshot": sealed, "done": done, "total": total, "code": "", "reason": ""}
        self._update(round_id, edge, values)

    def note_waiting(self, round_id: bytes, edge: str, *, code: str, reason: str) -> None:
        """Record why a running edge waits; its next checkpoint clears it.

        Raises:
            StoreError: there is no such edge, or it has finished or failed.
        """
        self._update(round_id, edge, {"code": code, "reason": reason[:_LONGEST_REASON]})

    def finish(
        self,
        round_id: bytes,
        edge: str,
        *,
        receipt: bytes,
        signatures: Mapping[str, bytes],
        extra_writes: Callable[[Connection], None] | None = None,
    ) -> None:
        """Close an edge with its receipt and erase its seed and snapshot, in one transaction with `extra_writes`.

        Raises:
            StoreError: there is no such edge, or it has finished or failed.
        """
        signed = json.dumps({agency: signature.hex() for agency, signature in sorted(signatures.items())})
        values = {"state": CLOSED, "receipt": receipt, "receipt_signatures": signed, "code": "", "reason": ""}
        self._end(round_id, edge, values, extra_writes)

    def fail(self, round_id: bytes, edge: str, *, code: str, reason: str) -> None:
        """Mark an edge as failed and erase its seed and snapshot. `reason` contains no value from a record.

        Raises:
            StoreError: there is no such edge, or it has finished or failed.
        """
        self._end(round_id, edge, {"state": FAILED, "code": code, "reason": reason[:_LONGEST_REASON]})

    def rounds_used(self, agreement_id: bytes, edge: str, *, but: bytes = b"") -> int:
        """Rounds counted against an edge's budget: not `but`, nor any that failed before its first chunk.

        Each edge has the agreement's budget to itself: receivers choose their rounds alone, so counting rounds over
        the whole agreement would let one receiver spend another's.
        """
        with self.read() as connection:
            return _rounds(connection, agreement_id, edge, but, _COUNTED)

    def rounds_used_by_edge(self, agreement_id: bytes) -> Mapping[str, int]:
        """`rounds_used` of every edge of an agreement that any round has used."""
        query = (
            select(table.c.edge, func.count().label("rounds"))
            .where(table.c.agreement == agreement_id.hex(), _COUNTED)
            .group_by(table.c.edge)
        )
        with self.read() as connection:
            return {row.edge: row.rounds for row in connection.execute(query)}

    def _end(
        self,
        round_id: bytes,
        edge: str,
        values: dict[str, Any],
        extra_writes: Callable[[Connection], None] | None = None,
    ) -> None:
        ended = {**values, "seed": None, "snapshot": None, "finished_at": self.now()}
        self._update(round_id, edge, ended, extra_writes)
        self._forget()

    def _update(
        self,
        round_id: bytes,
        edge: str,
        values: dict[str, Any],
        extra_writes: Callable[[Connection], None] | None = None,
    ) -> None:
        with self.write("edges") as connection:
            running = table.update().filter_by(**_key(round_id, edge)).where(table.c.finished_at.is_(None))
            if connection.execute(running.values(**values, updated_at=self.now())).rowcount != 1:
                raise StoreError(f"edge {edge} of round {round_id.hex()} is not running")
            if extra_writes is not None:
                extra_writes(connection)


def _of_running(connection: Connection, round_id: bytes, edge: str, column: Column[Any]) -> Any:
    """A column of a running edge. StoreError: it is not running."""
    query = select(column).filter_by(**_key(round_id, edge)).where(table.c.finished_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        raise StoreError(f"edge {edge} of round {round_id.hex()} is not running")
    return row[0]


def _check_budget(connection: Connection, row: EdgeRow, budget: int) -> None:
    """PeerError: BUDGET_SPENT."""
    where = (row.agreement_id, row.edge, row.round_id)
    if _rounds(connection, *where, _COUNTED) >= budget:
        raise PeerError(
            PeerCode.BUDGET_SPENT,
            f"the agreement's {budget} rounds are used up",
            hint="The parties can sign a new agreement.",
        )
    # Each costs the sender a tag table: such rounds do not count against the budget, but their number is bounded.
    if _rounds(connection, *where, not_(_COUNTED)) >= max(_LEAST_WASTED, budget):
        raise PeerError(
            PeerCode.BUDGET_SPENT,
            "too many rounds failed before their first chunk",
            hint="Find out why they failed; then the parties can sign a new agreement.",
        )


def _rounds(
    connection: Connection, agreement_id: bytes, edge: str, but: bytes, condition: ColumnElement[bool]
) -> int:
    """The rounds of an edge, other than `but`, that meet a condition."""
    of_edge = select(func.count()).select_from(table).filter_by(agreement=agreement_id.hex(), edge=edge)
    return connection.execute(of_edge.where(table.c.round != but.hex(), condition)).scalar_one()


def _key(round_id: bytes, edge: str) -> dict[str, str]:
    return {"round": round_id.hex(), "edge": edge}


def _context(round_id: bytes, edge: str, part: str) -> str:
    return f"edges/{round_id.hex()}/{edge}/{part}"


def _packed(signed: Signed) -> bytes:
    return signed.signature + signed.payload


def _unpacked(data: bytes) -> Signed:
    return Signed(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])


def _edge(row: Row[Any], opened: Mapping[str, bytes] = MappingProxyType({})) -> EdgeRow:
    """A row with its sealed columns as far as they are opened."""
    signed = json.loads(row.receipt_signatures or "{}")
    return from_columns(
        EdgeRow,
        row,
        receipt=row.receipt or b"",
        signatures={agency: bytes.fromhex(signature) for agency, signature in signed.items()},
        **{name: _unpacked(opened[name]) if name in opened else None for name in _RATES},
        seed=opened.get("seed", b""),
        snapshot=opened.get("snapshot", b""),
    )
