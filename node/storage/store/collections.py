"""Collections: what was imported, when, and how large it is."""

import json

from sqlalchemy import RowMapping, or_, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import CollectionRow
from blindmatch.node.storage.store.tables import bindings, edges
from blindmatch.node.storage.store.tables import collections as table
from blindmatch.protocol.errors import StoreError


class Collections(Database):
    """The store's methods on collections."""

    def add_collection(self, row: CollectionRow) -> None:
        """Add a collection whose files are complete.

        Raises:
            StoreError: its name or id is taken.
        """
        with self.write("collections") as connection:
            taken = select(table.c.id).where(or_(table.c.name == row.name, table.c.id == row.id))
            if connection.execute(taken).first() is not None:
                raise StoreError(
                    f"there is a collection {row.name} already",
                    hint="Delete it first (`blindmatch collection delete`), or choose another name.",
                )
            values = {name: getattr(row, name) for name in table.c.keys() if name != "detail"}  # noqa: SIM118
            sealed = self._sealer.seal(json.dumps(dict(row.detail)).encode(), _context(row.id))
            connection.execute(table.insert().values(**values, detail=sealed))

    def collections(self) -> list[CollectionRow]:
        """Every collection, by name."""
        with self.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.name)).mappings().all()
        return [self._collection(row) for row in rows]

    def find_collection(self, id_or_name: str) -> CollectionRow | None:
        """One collection, by id or name, or None."""
        query = select(table).where(or_(table.c.id == id_or_name, table.c.name == id_or_name))
        with self.read() as connection:
            row = connection.execute(query.order_by(table.c.id != id_or_name)).mappings().first()
        return None if row is None else self._collection(row)

    def collection(self, id_or_name: str) -> CollectionRow:
        """One collection, by id or name.

        Raises:
            StoreError: there is none.
        """
        row = self.find_collection(id_or_name)
        if row is None:
            raise StoreError(f"there is no collection {id_or_name}", hint="See `blindmatch collection list`.")
        return row

    def delete_collection(self, id_or_name: str) -> CollectionRow:
        """Delete a collection and its bindings to agreements; its files are the caller's to remove.

        Raises:
            StoreError: there is none, or a running edge uses it.
        """
        row = self.collection(id_or_name)
        with self.write("edges") as connection:
            running = select(edges.c.edge).where(edges.c.collection == row.id, edges.c.finished_at.is_(None))
            if connection.execute(running).first() is not None:
                raise StoreError(
                    f"collection {row.name} is in use by a running round",
                    hint="Let the round finish, or cancel it.",
                )
            connection.execute(bindings.delete().where(bindings.c.collection == row.id))
            connection.execute(table.delete().where(table.c.id == row.id))
        self._forget()
        return row

    def _collection(self, row: RowMapping) -> CollectionRow:
        values = dict(row)
        detail = json.loads(self._sealer.open(values.pop("detail"), _context(values["id"])))
        return CollectionRow(**values, detail=detail)


def _context(collection: str) -> str:
    return f"collections/{collection}"
