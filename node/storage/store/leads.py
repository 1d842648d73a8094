"""Leads: sealed at rest, gone when the agreement's retention ends."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from blindmatch.node.storage.store.engine import Database
from blindmatch.node.storage.store.rows import LeadRow
from blindmatch.node.storage.store.schema import leads as table
from blindmatch.node.storage.store.schema import tallies


class Leads(Database):
    """The store's methods on leads."""

    def put_leads(self, round_id: bytes, edge: str, rows: Sequence[bytes], expires_at: int) -> None:
        """Keep an edge's leads, in order; they replace what an earlier, interrupted call kept.

        Raises:
            StoreError: there is no such edge.
        """
        key = {"round": round_id.hex(), "edge": edge}
        values = [
            {
                **key,
                "position": position,
                "payload": self._sealer.seal(payload, _context(round_id, edge, position, expires_at)),
                "expires_at": expires_at,
            }
            for position, payload in enumerate(rows)
        ]
        with self.write("leads") as connection:
            connection.execute(table.delete().filter_by(**key))
            if values:
                connection.execute(insert(table), values)

    def leads(self, round_id: bytes, edge: str | None = None) -> list[LeadRow]:
        """The leads of a round, or of one of its edges, that have not expired."""
        query = select(table).where(table.c.round == round_id.hex(), table.c.expires_at > self.now())
        if edge is not None:
            query = query.where(table.c.edge == edge)
        with self.read() as connection:
            rows = connection.execute(query.order_by(table.c.edge, table.c.position)).all()
        return [
            LeadRow(
                round_id=round_id,
                edge=row.edge,
                position=row.position,
                payload=self._sealer.open(
                    row.payload, _context(round_id, row.edge, row.position, row.expires_at)
                ),
                expires_at=row.expires_at,
            )
            for row in rows
        ]

    def put_tally(self, round_id: bytes, edge: str, payload: bytes, expires_at: int) -> None:
        """Keep the number that an edge gave; it replaces what an earlier, interrupted call kept.

        Raises:
            StoreError: there is no such edge.
        """
        key = {"round": round_id.hex(), "edge": edge}
        sealed = self._sealer.seal(payload, _tally_context(round_id, edge, expires_at))
        with self.write("tallies") as connection:
            connection.execute(tallies.delete().filter_by(**key))
            connection.execute(tallies.insert().values(**key, payload=sealed, expires_at=expires_at))

    def tally(self, round_id: bytes, edge: str) -> bytes | None:
        """The number that an edge gave, unless its retention has ended."""
        query = select(tallies).filter_by(round=round_id.hex(), edge=edge)
        with self.read() as connection:
            row = connection.execute(query.where(tallies.c.expires_at > self.now())).first()
        if row is None:
            return None
        return self._sealer.open(row.payload, _tally_context(round_id, edge, row.expires_at))

    def erase_expired(self, now: int) -> int:
        """Erase the leads and numbers whose retention ended at or before `now`; return how many they were."""
        with self.write("leads") as connection:
            erased = connection.execute(table.delete().where(table.c.expires_at <= now)).rowcount
            erased += connection.execute(tallies.delete().where(tallies.c.expires_at <= now)).rowcount
        if erased:
            self._forget()
        return erased


def _context(round_id: bytes, edge: str, position: int, expires_at: int) -> str:
    return f"leads/{round_id.hex()}/{edge}/{position}/{expires_at}"


def _tally_context(round_id: bytes, edge: str, expires_at: int) -> str:
    return f"tallies/{round_id.hex()}/{edge}/{expires_at}"
