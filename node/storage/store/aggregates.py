"""Counts and sums: sealed at rest, gone when the agreement's retention ends."""

from sqlalchemy import insert, select

from blindmatch.node.storage.store.engine import Database
from blindmatch.node.storage.store.rows import AggregateRow
from blindmatch.node.storage.store.schema import numbers as table


class Aggregates(Database):
    """The store's methods on counts and sums."""

    def put_number(self, row: AggregateRow) -> None:
        """Keep an edge's number; it replaces what an earlier, interrupted call kept.

        Raises:
            StoreError: there is no such agreement.
        """
        key = {"round": row.round_id.hex(), "edge": row.edge}
        context = _context(row.round_id, row.edge, row.expires_at)
        with self.write("numbers") as connection:
            connection.execute(table.delete().filter_by(**key))
            connection.execute(
                insert(table).values(
                    **key,
                    agreement=row.agreement_id.hex(),
                    payload=self._sealer.seal(row.payload, context),
                    expires_at=row.expires_at,
                )
            )

    def numbers(
        self, *, round_id: bytes | None = None, agreement_id: bytes | None = None
    ) -> list[AggregateRow]:
        """The numbers of a round or of an agreement that have not expired, or all of them."""
        query = select(table).where(table.c.expires_at > self.now())
        if round_id is not None:
            query = query.where(table.c.round == round_id.hex())
        if agreement_id is not None:
            query = query.where(table.c.agreement == agreement_id.hex())
        with self.read() as connection:
            rows = connection.execute(query.order_by(table.c.expires_at, table.c.round, table.c.edge)).all()
        return [
            AggregateRow(
                round_id=(round_id := bytes.fromhex(row.round)),
                edge=row.edge,
                agreement_id=bytes.fromhex(row.agreement),
                payload=self._sealer.open(row.payload, _context(round_id, row.edge, row.expires_at)),
                expires_at=row.expires_at,
            )
            for row in rows
        ]

    def erase_expired_numbers(self, now: int) -> int:
        """Erase the numbers whose retention ended at or before `now`; return how many they were."""
        with self.write("numbers") as connection:
            erased = connection.execute(table.delete().where(table.c.expires_at <= now)).rowcount
        if erased:
            self._forget()
        return erased


def _context(round_id: bytes, edge: str, expires_at: int) -> str:
    return f"numbers/{round_id.hex()}/{edge}/{expires_at}"
