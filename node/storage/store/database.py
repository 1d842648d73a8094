"""Connections and transactions for SQLite and PostgreSQL; the only module that knows the difference."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store.tables import SCHEMA_VERSION, metadata, schema_version
from blindmatch.protocol.errors import StoreError

_LEAST_PAGE = 512
"""Bytes: SQLite's smallest page. A database is whole pages; a truncated or overwritten file seldom is."""

_PRAGMAS = (
    "PRAGMA busy_timeout = 30000",  # milliseconds; first, because the next one may meet a lock
    "PRAGMA journal_mode = WAL",  # readers continue while one process writes
    "PRAGMA synchronous = FULL",  # a checkpoint that was reported survives a power cut
    "PRAGMA secure_delete = ON",  # a wiped seed is overwritten with zeros
    "PRAGMA foreign_keys = ON",
)


class Database:
    """An engine with a pool for threads; `read` and `write` are its only transactions."""

    def __init__(self, url: str, sealer: Sealer, *, clock: Callable[[], float] = time.time) -> None:
        """Open the database, and create its tables when it is new.

        Args:
            url: a SQLAlchemy URL: `sqlite:///file` or `postgresql://…`.
            sealer: seals the sensitive columns.
            clock: seconds since 1970.

        Raises:
            StoreError: the URL is wrong, the database cannot be reached, or a newer blindmatch created it.
        """
        self._sealer = sealer.derive("store")
        self._clock = clock
        self._url = _parse(url)
        self._file = Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None
        self._inode = (0, 0)
        with _translated():
            self._engine = self._connect()
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise

    def __repr__(self) -> str:
        return f"Store({self._url.get_backend_name()})"

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def ping(self) -> None:
        """Read something.

        Raises:
            StoreError: the database cannot be read.
        """
        if self._file is not None:
            self._check_file(self._file)
        with self.read() as connection:
            connection.execute(select(schema_version.c.version)).scalar_one()

    def _check_file(self, file: Path) -> None:
        """The file must still be the one that was opened, and readable by a fresh connection.

        An open handle reads on after its file was deleted or replaced, and a checkpoint would not last. SQLite itself
        checks the file: opening and closing the file ourselves would drop every lock that this process holds on it (POSIX
        record locks), and another process would then delete the write-ahead log under us.
        """
        try:
            now = file.stat()
        except OSError as error:
            raise StoreError(f"the database {file} cannot be read: {error.strerror}") from None
        if not now.st_size or now.st_size % _LEAST_PAGE:
            raise StoreError(f"the database {file} is damaged", hint="Restore it from a backup.")
        if (now.st_dev, now.st_ino) != self._inode:
            raise StoreError(
                f"the database {file} was replaced while the node was running", hint="Restart the node."
            )
        try:
            with closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
            ) as fresh:
                fresh.execute("SELECT version FROM schema_version").fetchone()
        except sqlite3.DatabaseError:
            raise StoreError(f"the database {file} is damaged", hint="Restore it from a backup.") from None

    def now(self) -> int:
        """The clock in whole seconds since 1970."""
        return int(self._clock())

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, family: str) -> Iterator[Connection]:
        """A transaction that writes; one at a time per table family, over all processes.

        SQLite takes its one write lock at BEGIN, so that a read inside never has to be upgraded; PostgreSQL
        takes an advisory lock named after the family.
        """
        engine = self._engine.execution_options(blindmatch_write=True)
        with _translated(), engine.begin() as connection:
            if self._file is None:
                key = int.from_bytes(
                    hashlib.sha256(f"blindmatch/{family}".encode()).digest()[:8], signed=True
                )
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield connection

    def _forget(self) -> None:
        """Remove what was just erased from SQLite's write-ahead log too, unless a reader holds it."""
        if self._file is not None:
            with _translated(), self._engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                if raw is not None:
                    # Bypasses SQLAlchemy, which would start a transaction: a checkpoint cannot run inside one.
                    raw.execute("PRAGMA busy_timeout = 1000").fetchall()
                    with suppress(sqlite3.OperationalError):
                        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                    raw.execute("PRAGMA busy_timeout = 30000").fetchall()

    def _connect(self) -> Engine:
        if self._file is None:
            try:
                return create_engine(self._url, hide_parameters=True, pool_pre_ping=True, max_overflow=12)
            except (NoSuchModuleError, ImportError):
                raise StoreError(
                    "the PostgreSQL driver is not installed",
                    hint='Install it: pip install "blindmatch[postgres]"',
                ) from None
        if not self._file.name or self._file.name.startswith(":"):
            raise StoreError("the database must be a file", hint="Use sqlite:////path/to/node.db")
        try:
            # SQLite gives its journal files the mode of the database. Only a file that is not there yet is opened
            # here: closing one that SQLite has open in this process would drop its locks.
            with suppress(FileExistsError):
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            status = self._file.stat()
            self._inode = (status.st_dev, status.st_ino)
        except OSError as error:
            raise StoreError(f"the database {self._file} cannot be opened: {error.strerror}") from None
        engine = create_engine(self._url, hide_parameters=True, max_overflow=12)
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        return engine

    def _prepare(self) -> None:
        with self.read() as connection:
            version = _version(connection)
        if version is None:
            with self.write("schema") as connection:
                version = _version(connection)  # another process may have been first
                if version is None:
                    metadata.create_all(connection)
                    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
                    version = SCHEMA_VERSION
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"the database has schema {version}, this blindmatch knows {SCHEMA_VERSION}",
                hint="A newer blindmatch wrote it: upgrade this one.",
            )


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("the database URL is not valid", hint="See [database] in node.toml.") from None
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(
            f"databases of type {parsed.get_backend_name()} are not supported",
            hint="Use SQLite (leave the URL empty) or PostgreSQL.",
        )
    return parsed


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    version: int = connection.execute(select(schema_version.c.version)).scalar_one()
    return version


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # BEGIN is ours, see _on_begin
    for pragma in _PRAGMAS:
        raw.execute(pragma).fetchall()


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("blindmatch_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLAlchemy's errors into `StoreError`. The driver's text is included only where it cannot quote a value."""
    try:
        yield
    except IntegrityError:
        raise StoreError("the database refused a row that contradicts another") from None
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise StoreError(
            f"the database cannot be used: {reason}", hint="Is it running, reachable, and is there space?"
        ) from None
    except DatabaseError as error:
        kind = type(error.orig).__name__
        raise StoreError(
            f"the database is damaged or of another kind ({kind})", hint="Restore a backup."
        ) from None
    except SQLAlchemyError as error:
        raise StoreError(f"the database failed ({type(error).__name__})") from None
