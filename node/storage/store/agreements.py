"""Agreements: exact bytes, signatures, withdrawals, contacts with the parties, and the collection bound to each edge."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select

from blindmatch.node.storage.store.database import Database
from blindmatch.node.storage.store.rows import AgreementRow, Contact, Withdrawal
from blindmatch.node.storage.store.tables import (
    agreements,
    bindings,
    contacts,
    proposals,
    signatures,
    withdrawals,
)
from blindmatch.protocol.errors import StoreError

_HEX = frozenset("0123456789abcdef")
_SHORTEST_PREFIX = 4


class Agreements(Database):
    """The store's methods on agreements. No signature is verified here: callers verify before they store."""

    def put_agreement(self, agreement_id: bytes, payload: bytes, *, proposed_by: str = "") -> bool:
        """Store an agreement's exact bytes; the same again changes nothing. `proposed_by` is an agency, or empty.

        Returns:
            Whether it was new.

        Raises:
            StoreError: other bytes are stored under this id.
        """
        with self.write("agreements") as connection:
            query = select(agreements.c.payload).where(agreements.c.id == agreement_id.hex())
            stored = connection.execute(query).scalar_one_or_none()
            if stored is None:
                connection.execute(
                    agreements.insert().values(id=agreement_id.hex(), payload=payload, received_at=self.now())
                )
                if proposed_by:
                    connection.execute(
                        proposals.insert().values(agreement=agreement_id.hex(), agency=proposed_by)
                    )
            elif stored != payload:
                raise StoreError("an agreement with this id but different content is stored already")
            return stored is None

    def add_signature(self, agreement_id: bytes, agency: str, signature: bytes) -> bool:
        """Store a verified signature; a second one from the same agency changes nothing.

        Returns:
            Whether it was new.

        Raises:
            StoreError: the agreement is not stored here.
        """
        return self._insert_once(signatures, agreement_id, agency, signature=signature)

    def withdraw(self, agreement_id: bytes, agency: str, payload: bytes, signature: bytes) -> bool:
        """Store a verified decline or withdrawal; a second one from the same agency changes nothing.

        Returns:
            Whether it was new.

        Raises:
            StoreError: the agreement is not stored here.
        """
        values = {"payload": payload, "signature": signature, "withdrawn_at": self.now()}
        return self._insert_once(withdrawals, agreement_id, agency, **values)

    def _insert_once(self, table: Table, agreement_id: bytes, agency: str, **values: Any) -> bool:
        with self.write("agreements") as connection:
            _require(connection, agreement_id)
            key = {"agreement": agreement_id.hex(), "agency": agency}
            new = connection.execute(select(table.c.agency).filter_by(**key)).first() is None
            if new:
                connection.execute(table.insert().values(**key, **values))
            return new

    def note_contact(self, agreement_id: bytes, agency: str, error: str = "") -> None:
        """Record that an agency was just contacted about an agreement, or called this node about it; or why it could not be reached.

        Raises:
            StoreError: the agreement is not stored here.
        """
        with self.write("agreements") as connection:
            _require(connection, agreement_id)
            key = {"agreement": agreement_id.hex(), "agency": agency}
            before = connection.execute(select(contacts.c.reached_at).filter_by(**key)).scalar_one_or_none()
            now = self.now()
            connection.execute(contacts.delete().filter_by(**key))
            reached = before if error else now
            connection.execute(contacts.insert().values(**key, tried_at=now, reached_at=reached, error=error))

    def waiting_proposals(self, agency: str) -> Mapping[str, int]:
        """By proposing agency, how many agreements `agency` has neither signed nor declined."""
        query = select(proposals.c.agency, func.count().label("waiting"))
        for table in (signatures, withdrawals):
            answered = select(table.c.agreement).where(table.c.agency == agency)
            query = query.where(proposals.c.agreement.not_in(answered))
        with self.read() as connection:
            rows = connection.execute(query.group_by(proposals.c.agency))
            return {row.agency: row.waiting for row in rows}

    def contacts(self, agreement_id: bytes) -> Mapping[str, Contact]:
        """When each other party was last contacted about an agreement; parties that never were are absent."""
        query = select(contacts).where(contacts.c.agreement == agreement_id.hex())
        with self.read() as connection:
            return {
                row.agency: Contact(row.tried_at, row.reached_at, row.error)
                for row in connection.execute(query)
            }

    def find_agreement(self, agreement_id: bytes) -> AgreementRow | None:
        """One agreement by its whole id, or None."""
        rows = self._agreements(agreement_id.hex())
        return rows[0] if rows else None

    def agreement(self, agreement_id: bytes | str) -> AgreementRow:
        """One agreement, by its id or by the first hex digits of it, at least four.

        Raises:
            StoreError: there is none, or more than one begins so.
        """
        prefix = agreement_id.hex() if isinstance(agreement_id, bytes) else agreement_id.lower()
        if len(prefix) < _SHORTEST_PREFIX or not set(prefix) <= _HEX:
            raise StoreError(
                f"{prefix or 'nothing'} is not an agreement's id",
                hint=f"Give at least {_SHORTEST_PREFIX} of its hexadecimal digits; see `blindmatch agreement list`.",
            )
        rows = self._agreements(prefix)
        if len(rows) != 1:
            problem = "more than one agreement begins with" if rows else "there is no agreement"
            raise StoreError(f"{problem} {prefix}", hint="See `blindmatch agreement list`.")
        return rows[0]

    def agreements(self) -> list[AgreementRow]:
        """Every agreement, in the order of arrival."""
        return self._agreements("")

    def bind(self, agreement_id: bytes, edge: str, collection_id: str) -> None:
        """Record which collection this node contributes to an edge; a later call replaces an earlier one.

        Raises:
            StoreError: the agreement or the collection is not stored here.
        """
        with self.write("agreements") as connection:
            _require(connection, agreement_id)
            key = {"agreement": agreement_id.hex(), "edge": edge}
            connection.execute(bindings.delete().filter_by(**key))
            connection.execute(bindings.insert().values(**key, collection=collection_id))

    def binding(self, agreement_id: bytes, edge: str) -> str | None:
        """The id of the collection that is bound to an edge, or None."""
        return self.bindings(agreement_id).get(edge)

    def bindings(self, agreement_id: bytes) -> Mapping[str, str]:
        """The collection ids bound to an agreement's edges, by edge."""
        query = select(bindings.c.edge, bindings.c.collection).where(
            bindings.c.agreement == agreement_id.hex()
        )
        with self.read() as connection:
            return {row.edge: row.collection for row in connection.execute(query)}

    def _agreements(self, prefix: str) -> list[AgreementRow]:
        with self.read() as connection:
            query = select(agreements).where(agreements.c.id.startswith(prefix, autoescape=True))
            rows = connection.execute(query.order_by(agreements.c.received_at, agreements.c.id)).all()
            signed, withdrawn, proposed = (
                connection.execute(
                    select(table).where(table.c.agreement.startswith(prefix, autoescape=True))
                ).all()
                for table in (signatures, withdrawals, proposals)
            )
        proposers = {row.agreement: row.agency for row in proposed}
        return [
            AgreementRow(
                id=bytes.fromhex(row.id),
                payload=row.payload,
                signatures={s.agency: s.signature for s in signed if s.agreement == row.id},
                received_at=row.received_at,
                withdrawn_by={
                    w.agency: Withdrawal(w.payload, w.signature, w.withdrawn_at)
                    for w in withdrawn
                    if w.agreement == row.id
                },
                proposed_by=proposers.get(row.id, ""),
            )
            for row in rows
        ]


def _require(connection: Connection, agreement_id: bytes) -> None:
    if connection.execute(select(agreements.c.id).filter_by(id=agreement_id.hex())).first() is None:
        raise StoreError("this node does not have the agreement", hint="Import or fetch it first.")
