"""Checks of single records: how many each agency has used today, and the submissions this node received, sealed, in rows of one size."""

from typing import Any

from sqlalchemy import Connection, Row, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import CheckRow, from_columns
from blindmatch.node.storage.store.tables import check_counts
from blindmatch.node.storage.store.tables import checks as table
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError

DAY_SECONDS = 86_400


class Checks(Database):
    """The store's methods on checks."""

    def count_check(self, agreement_id: bytes, edge: str, agency: str, *, most: int) -> int:
        """Count one more check by an agency today (UTC), whatever its result; the number so far.

        Raises:
            PeerError: BUDGET_SPENT, when `most` were counted today before this one.
        """
        with self.write("checks") as connection:
            used = self._count(connection, agreement_id, edge, agency, most)
        if used >= most:
            raise _spent(most)
        return used + 1

    def put_check(self, row: CheckRow, *, most: int) -> bool:
        """Count and store a submission, in one transaction; False when the same submission is stored already.

        Raises:
            PeerError: BUDGET_SPENT; it is counted but not stored.
            StoreError: a different submission has this id.
        """
        with self.write("checks") as connection:
            used = self._count(connection, row.agreement_id, row.edge, row.peer, most)
            new = used < most and self._insert(connection, row)
        if used >= most:
            raise _spent(most)
        return new

    def _count(self, connection: Connection, agreement_id: bytes, edge: str, agency: str, most: int) -> int:
        """Count one more today; the number before it."""
        day = self.now() // DAY_SECONDS
        key = {"agreement": agreement_id.hex(), "edge": edge, "agency": agency, "day": day}
        used = connection.execute(select(check_counts.c.count).filter_by(**key)).scalar()
        if used is None:
            connection.execute(check_counts.insert().values(**key, count=1))
        elif used <= most:  # a higher count would change nothing
            connection.execute(check_counts.update().filter_by(**key).values(count=used + 1))
        return used or 0

    def _insert(self, connection: Connection, row: CheckRow) -> bool:
        stored = connection.execute(select(table).filter_by(id=row.id.hex())).first()
        if stored is not None:
            if (stored.epoch, stored.edge, stored.peer) != (row.epoch.hex(), row.edge, row.peer):
                raise StoreError("a different check with this id is stored already")
            return False
        connection.execute(
            table.insert().values(
                id=row.id.hex(),
                epoch=row.epoch.hex(),
                edge=row.edge,
                agreement=row.agreement_id.hex(),
                peer=row.peer,
                came_at=row.came_at,
                expires_at=row.expires_at,
                looked=int(row.looked),
                payload=self._sealer.seal(row.payload, _context(row.id)),
            )
        )
        return True

    def put_check_result(self, check: bytes, payload: bytes) -> None:
        """Replace a submission by its result, which has the same length.

        Raises:
            StoreError: there is no such check.
        """
        sealed = self._sealer.seal(payload, _context(check))
        with self.write("checks") as connection:
            done = table.update().filter_by(id=check.hex()).values(looked=1, payload=sealed)
            if connection.execute(done).rowcount != 1:
                raise StoreError("there is no such check")

    def checks(self, agreement_id: bytes | None = None, *, looked: bool | None = None) -> list[CheckRow]:
        """Submissions that have not expired, oldest first."""
        query = select(table).where(table.c.expires_at > self.now()).order_by(table.c.came_at, table.c.id)
        if agreement_id is not None:
            query = query.where(table.c.agreement == agreement_id.hex())
        if looked is not None:
            query = query.where(table.c.looked == int(looked))
        with self.read() as connection:
            return [self._check(row) for row in connection.execute(query)]

    def erase_checks(self, now: int) -> int:
        """Erase expired submissions and the counts of past days; the number of submissions erased."""
        with self.write("checks") as connection:
            erased = connection.execute(table.delete().where(table.c.expires_at <= now)).rowcount
            connection.execute(check_counts.delete().where(check_counts.c.day < now // DAY_SECONDS - 1))
        if erased:
            self._forget()
        return erased

    def _check(self, row: Row[Any]) -> CheckRow:
        payload = self._sealer.open(row.payload, _context(bytes.fromhex(row.id)))
        return from_columns(CheckRow, row, looked=bool(row.looked), payload=payload)


def _spent(most: int) -> PeerError:
    return PeerError(
        PeerCode.BUDGET_SPENT,
        f"the agreement's {most} checks a day are used up",
        hint="Ask again tomorrow (UTC), or compare the whole list: blindmatch round run.",
    )


def _context(check: bytes) -> str:
    return f"checks/{check.hex()}"
