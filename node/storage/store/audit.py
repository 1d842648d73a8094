"""The audit log's rows: appended one at a time, read in order, never changed."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from sqlalchemy import Connection, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import AuditRow
from blindmatch.node.storage.store.tables import audit as table

_PAGE_ROWS = 500


class Audit(Database):
    """The store's methods on the audit log; `blindmatch.node.storage.audit_log` chains and signs."""

    def append_audit(self, build: Callable[[AuditRow | None], AuditRow]) -> AuditRow:
        """Append what `build` makes of the last entry; no other process can append in between.

        Raises:
            StoreError: the database cannot be written.
        """
        with self.write("audit") as connection:
            row = build(_last(connection))
            connection.execute(table.insert().values(**asdict(row)))
            return row

    def last_audit(self) -> AuditRow | None:
        """The last entry, or None."""
        with self.read() as connection:
            return _last(connection)

    def audit_rows(self, after: int = 0) -> Iterator[AuditRow]:
        """Entries with a `seq` above `after`, in order, a page at a time."""
        while True:
            query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(_PAGE_ROWS)
            with self.read() as connection:
                page = [AuditRow(**row) for row in connection.execute(query).mappings()]
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            after = page[-1].seq


def _last(connection: Connection) -> AuditRow | None:
    row = connection.execute(select(table).order_by(table.c.seq.desc()).limit(1)).mappings().first()
    return None if row is None else AuditRow(**row)
