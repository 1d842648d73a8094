"""Epochs of standing agreements: one row per epoch and edge, with its secret sealed until it ends; and which rounds are delta rounds."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import DeltaRow, EpochRow, from_columns
from blindmatch.node.storage.store.tables import deltas, edges
from blindmatch.node.storage.store.tables import epochs as table
from blindmatch.protocol.errors import StoreError

ExtraWrites = Callable[[Connection], None]
"""Done in the transaction that closes a round."""


class Epochs(Database):
    """The store's methods on epochs."""

    def opening_epoch(self, row: EpochRow) -> ExtraWrites:
        """Store a new epoch, and end the one that is open on its edge. To be passed to `Edges.finish`."""

        def extra_writes(connection: Connection) -> None:
            here = table.update().filter_by(agreement=row.agreement_id.hex(), edge=row.edge, role=row.role)
            ended = {"secret": None, "ended_at": self.now(), "reason": "a new one began"}
            connection.execute(here.where(table.c.ended_at.is_(None)).values(**ended))
            connection.execute(
                table.insert().values(
                    round=row.epoch.hex(),
                    edge=row.edge,
                    agreement=row.agreement_id.hex(),
                    role=row.role,
                    peer=row.peer,
                    collection=row.collection,
                    opened_at=row.opened_at,
                    ends_at=row.ends_at,
                    number=0,
                    rounds=json.dumps([row.epoch.hex()]),
                    state=row.state,
                    receiver_records=row.receiver_records,
                    sender_records=row.sender_records,
                    public_key=row.public_key,
                    secret=self._sealer.seal(row.secret, _context(row.epoch, row.edge)),
                    reason="",
                )
            )

        return extra_writes

    def advancing_epoch(
        self, before: EpochRow, round_id: bytes, *, state: bytes, records: tuple[int, int], **more: Any
    ) -> ExtraWrites:
        """Advance an epoch by one delta round, if it has not changed since that round started. To be passed to `Edges.finish`.

        Args:
            before: the epoch when the round started.
            round_id: of the delta round.
            state: the state after it.
            records: of the receiver and of the sender, after it.
            more: `counts`, the four numbers of records added and removed; `collection`, its name.
        """

        def extra_writes(connection: Connection) -> None:
            rounds = json.dumps([each.hex() for each in (*before.rounds, round_id)])
            unchanged = table.update().filter_by(
                round=before.epoch.hex(), edge=before.edge, number=before.number
            )
            values = {
                "number": before.number + 1,
                "rounds": rounds,
                "state": state,
                "receiver_records": records[0],
                "sender_records": records[1],
                "collection": more["collection"],
            }
            if connection.execute(unchanged.where(table.c.ended_at.is_(None)).values(**values)).rowcount != 1:
                raise StoreError(
                    "the epoch has ended or advanced in the meantime",
                    hint="Run the round again: it starts a new epoch.",
                )
            ours = deltas.update().filter_by(round=round_id.hex(), edge=before.edge)
            connection.execute(ours.values(counts=json.dumps(list(more["counts"]))))

        return extra_writes

    def end_epoch(self, epoch: bytes, edge: str, reason: str) -> bool:
        """End an epoch and wipe its secret; False when it had ended already or there is none."""
        ends = table.update().filter_by(round=epoch.hex(), edge=edge).where(table.c.ended_at.is_(None))
        with self.write("edges") as connection:
            ended = connection.execute(
                ends.values(secret=None, ended_at=self.now(), reason=reason[:400])
            ).rowcount
        if ended:
            self._forget()
        return bool(ended)

    def find_epoch(self, epoch: bytes, edge: str) -> EpochRow | None:
        """One epoch with its secret opened, ended or not, or None."""
        with self.read() as connection:
            row = connection.execute(select(table).filter_by(round=epoch.hex(), edge=edge)).first()
        return None if row is None else self._epoch(row)

    def open_epoch(self, agreement_id: bytes, edge: str, role: str) -> EpochRow | None:
        """The epoch that is open on an edge, with its secret, or None."""
        query = select(table).filter_by(agreement=agreement_id.hex(), edge=edge, role=role)
        with self.read() as connection:
            row = connection.execute(query.where(table.c.ended_at.is_(None))).first()
        return None if row is None else self._epoch(row)

    def epochs(self, *, still_open: bool = False) -> list[EpochRow]:
        """Every epoch without its secret, oldest first, or those that are open."""
        query = select(table).order_by(table.c.opened_at, table.c.round, table.c.edge)
        if still_open:
            query = query.where(table.c.ended_at.is_(None))
        with self.read() as connection:
            return [self._epoch(row, secrets=False) for row in connection.execute(query)]

    def find_delta(self, round_id: bytes, edge: str) -> DeltaRow | None:
        """The delta round with this id on an edge, or None for a full round."""
        with self.read() as connection:
            row = connection.execute(select(deltas).filter_by(round=round_id.hex(), edge=edge)).first()
        if row is None:
            return None
        counts = tuple(json.loads(row.counts)) if row.counts else None
        return from_columns(DeltaRow, row, counts=counts)

    def running_deltas(self, epoch: bytes, edge: str) -> list[bytes]:
        """The ids of the epoch's delta rounds that neither closed nor failed."""
        query = (
            select(deltas.c.round)
            .join(edges, (edges.c.round == deltas.c.round) & (edges.c.edge == deltas.c.edge))
            .where(deltas.c.epoch == epoch.hex(), deltas.c.edge == edge, edges.c.finished_at.is_(None))
        )
        with self.read() as connection:
            return [bytes.fromhex(name) for name in connection.execute(query).scalars()]

    def _epoch(self, row: Row[Any], *, secrets: bool = True) -> EpochRow:
        epoch = bytes.fromhex(row.round)
        secret = b""
        if secrets and row.secret is not None:
            secret = self._sealer.open(row.secret, _context(epoch, row.edge))
        rounds = tuple(bytes.fromhex(name) for name in json.loads(row.rounds))
        return from_columns(EpochRow, row, epoch=epoch, rounds=rounds, secret=secret)


def _context(epoch: bytes, edge: str) -> str:
    return f"epochs/{epoch.hex()}/{edge}/secret"
