"""Results of rounds: leads, counts and sums, tallies of thresholds. Sealed at rest, erased when the agreement's retention ends."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, insert, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import AggregateRow, LeadRow, from_columns
from blindmatch.node.storage.store.tables import leads, numbers, tallies


class Results(Database):
    """The store's methods on results."""

    def put_leads(self, round_id: bytes, edge: str, rows: Sequence[bytes], expires_at: int) -> None:
        """Store an edge's leads, in order; they replace what an earlier, interrupted call stored.

        Raises:
            StoreError: there is no such edge.
        """
        places = [{"position": position} for position in range(len(rows))]
        self._replace(leads, round_id, edge, list(zip(places, rows, strict=True)), expires_at)

    def leads(self, round_id: bytes, edge: str | None = None) -> list[LeadRow]:
        """The leads of a round, or of one of its edges, that have not expired: by edge, in order."""
        rows = self._current(leads, {"round": round_id.hex()} | ({} if edge is None else {"edge": edge}))
        return [
            from_columns(LeadRow, row, payload=payload)
            for row, payload in sorted(rows, key=lambda each: (each[0].edge, each[0].position))
        ]

    def put_tally(self, round_id: bytes, edge: str, payload: bytes, expires_at: int) -> None:
        """Store what a threshold's collector learned; it replaces what an earlier, interrupted call stored.

        Raises:
            StoreError: there is no such edge.
        """
        self._replace(tallies, round_id, edge, [({}, payload)], expires_at)

    def tally(self, round_id: bytes, edge: str) -> bytes | None:
        """What a threshold's collector learned, unless its retention has ended."""
        rows = self._current(tallies, {"round": round_id.hex(), "edge": edge})
        return rows[0][1] if rows else None

    def put_number(self, row: AggregateRow) -> None:
        """Store an edge's count or sum; it replaces what an earlier, interrupted call stored.

        Raises:
            StoreError: there is no such agreement.
        """
        agreement = {"agreement": row.agreement_id.hex()}
        self._replace(numbers, row.round_id, row.edge, [(agreement, row.payload)], row.expires_at)

    def numbers(
        self, *, round_id: bytes | None = None, agreement_id: bytes | None = None
    ) -> list[AggregateRow]:
        """The counts and sums of a round or of an agreement that have not expired, or all of them; the first to expire first."""
        ids = {"round": round_id, "agreement": agreement_id}
        rows = self._current(numbers, {name: value.hex() for name, value in ids.items() if value is not None})
        return [
            from_columns(AggregateRow, row, payload=payload)
            for row, payload in sorted(
                rows, key=lambda each: (each[0].expires_at, each[0].round, each[0].edge)
            )
        ]

    def erase_expired(self, now: int) -> dict[str, int]:
        """Erase what expired at or before `now`; how many leads (with tallies) and how many counts and sums that was."""
        with self.write("leads") as connection:
            erased = {
                table.name: connection.execute(table.delete().where(table.c.expires_at <= now)).rowcount
                for table in (leads, tallies, numbers)
            }
        if any(erased.values()):
            self._forget()
        return {"leads": erased["leads"] + erased["tallies"], "numbers": erased["numbers"]}

    def _replace(
        self,
        table: Table,
        round_id: bytes,
        edge: str,
        rows: Sequence[tuple[dict[str, Any], bytes]],
        expires_at: int,
    ) -> None:
        """Replace all rows of an edge by these: further columns, and a payload that is sealed for its own row."""
        key = {"round": round_id.hex(), "edge": edge}
        values = [
            {
                **key,
                **columns,
                "expires_at": expires_at,
                "payload": self._sealer.seal(
                    payload, _context(table, key["round"], edge, columns.get("position"), expires_at)
                ),
            }
            for columns, payload in rows
        ]
        with self.write(table.name) as connection:
            connection.execute(table.delete().filter_by(**key))
            if values:
                connection.execute(insert(table), values)

    def _current(self, table: Table, key: dict[str, str]) -> list[tuple[Row[Any], bytes]]:
        """The rows of this key that have not expired, each with its payload opened."""
        query = select(table).filter_by(**key).where(table.c.expires_at > self.now())
        with self.read() as connection:
            rows = connection.execute(query).all()
        return [
            (
                row,
                self._sealer.open(
                    row.payload,
                    _context(table, row.round, row.edge, getattr(row, "position", None), row.expires_at),
                ),
            )
            for row in rows
        ]


def _context(table: Table, round_id: str, edge: str, position: int | None, expires_at: int) -> str:
    """What a sealed payload is bound to: a copy in another row does not open."""
    place = "" if position is None else f"{position}/"
    return f"{table.name}/{round_id}/{edge}/{place}{expires_at}"
