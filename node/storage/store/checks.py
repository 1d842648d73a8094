"""Checks of single records: how many a partner has made today, and what was submitted to this node, sealed, in rows of one size."""

from typing import Any

from sqlalchemy import Connection, Row, select

from blindmatch.node.storage.store.engine import Database
from blindmatch.node.storage.store.rows import CheckRow
from blindmatch.node.storage.store.schema import check_counts
from blindmatch.node.storage.store.schema import checks as table
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError

DAY_SECONDS = 86_400


class Checks(Database):
    """The store's methods on checks."""

    def count_check(self, agreement_id: bytes, edge: str, agency: str, *, most: int) -> int:
        """Count one more check of an agency today (UTC), whatever becomes of it; how many they are now.

        Raises:
            PeerError: BUDGET_SPENT, when `most` were made today before this one.
        """
        key = {
            "agreement": agreement_id.hex(),
            "edge": edge,
            "agency": agency,
            "day": self.now() // DAY_SECONDS,
        }
        with self.write("checks") as connection:
            made = self._count(connection, key, most)
        if made >= most:
            raise _spent(most)
        return made + 1

    def keep_check(self, row: CheckRow, *, most: int) -> bool:
        """Count and keep what was submitted, in one transaction; False when this very check is there already.

        Raises:
            PeerError: BUDGET_SPENT; it is counted and not kept.
            StoreError: another submission has its id.
        """
        key = {
            "agreement": row.agreement_id.hex(),
            "edge": row.edge,
            "agency": row.peer,
            "day": self.now() // DAY_SECONDS,
        }
        with self.write("checks") as connection:
            made = self._count(connection, key, most)
            new = made < most and self._keep(connection, row)
        if made >= most:
            raise _spent(most)
        return new

    def _count(self, connection: Connection, key: dict[str, Any], most: int) -> int:
        """Count one more; how many they were before."""
        made = connection.execute(select(check_counts.c.count).filter_by(**key)).scalar()
        if made is None:
            connection.execute(check_counts.insert().values(**key, count=1))
        elif made <= most:  # beyond it there is nothing left to count
            connection.execute(check_counts.update().filter_by(**key).values(count=made + 1))
        return made or 0

    def _keep(self, connection: Connection, row: CheckRow) -> bool:
        kept = connection.execute(select(table).filter_by(id=row.id.hex())).first()
        if kept is not None:
            if (kept.epoch, kept.edge, kept.peer) != (row.epoch.hex(), row.edge, row.peer):
                raise StoreError("a check of this id is there already")
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

    def looked_up(self, check: bytes, payload: bytes) -> None:
        """Replace what was submitted by what came of it: another text of the same length.

        Raises:
            StoreError: there is no such check.
        """
        sealed = self._sealer.seal(payload, _context(check))
        with self.write("checks") as connection:
            done = table.update().filter_by(id=check.hex()).values(looked=1, payload=sealed)
            if connection.execute(done).rowcount != 1:
                raise StoreError("there is no such check")

    def checks(self, agreement_id: bytes | None = None, *, looked: bool | None = None) -> list[CheckRow]:
        """What was submitted and has not expired, oldest first."""
        query = select(table).where(table.c.expires_at > self.now()).order_by(table.c.came_at, table.c.id)
        if agreement_id is not None:
            query = query.where(table.c.agreement == agreement_id.hex())
        if looked is not None:
            query = query.where(table.c.looked == int(looked))
        with self.read() as connection:
            return [self._check(row) for row in connection.execute(query)]

    def erase_checks(self, now: int) -> int:
        """Erase what was submitted and has expired, and counts of past days; how many submissions they were."""
        with self.write("checks") as connection:
            erased = connection.execute(table.delete().where(table.c.expires_at <= now)).rowcount
            connection.execute(check_counts.delete().where(check_counts.c.day < now // DAY_SECONDS - 1))
        if erased:
            self._forget()
        return erased

    def _check(self, row: Row[Any]) -> CheckRow:
        check = bytes.fromhex(row.id)
        return CheckRow(
            id=check,
            epoch=bytes.fromhex(row.epoch),
            edge=row.edge,
            agreement_id=bytes.fromhex(row.agreement),
            peer=row.peer,
            came_at=row.came_at,
            expires_at=row.expires_at,
            looked=bool(row.looked),
            payload=self._sealer.open(row.payload, _context(check)),
        )


def _spent(most: int) -> PeerError:
    return PeerError(
        PeerCode.BUDGET_SPENT,
        f"the agreement's {most} checks a day are used up",
        hint="Ask again tomorrow (UTC), or compare the whole list: blindmatch round run.",
    )


def _context(check: bytes) -> str:
    return f"checks/{check.hex()}"
