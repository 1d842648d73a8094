"""A node's data folder, open: settings, keys, store and audit log in one object.

```
node.toml  keys.json  node.db  audit.head  tls/  collections/  rounds/  epochs/
```
"""

import getpass
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blindmatch.node.pki import certificates
from blindmatch.node.storage import config, keyring
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import HEAD_NAME, AuditLog
from blindmatch.node.storage.config import Settings
from blindmatch.node.storage.config_template import render_settings
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.passphrase_encryption import SCRYPT_N
from blindmatch.node.storage.store import Store
from blindmatch.protocol.errors import ConfigError, KeysError, LocalError, StoreError

USER_VARIABLE = "BLINDMATCH_USER"
_FILES = (config.FILE_NAME, keyring.FILE_NAME, config.DATABASE_NAME)
_FOLDERS = ("tls", "collections", "rounds")


class Node:
    """One agency's node, open on this machine. Use it in a `with`, or call `close`."""

    wire: Any = None
    """A recorder of every decrypted message, when one is wanted."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        keys: KeyRing,
        *,
        clock: Callable[[], float] = time.time,
        user: str = "",
    ) -> None:
        """Open the store and the audit log of an existing folder; `create` and `open` are the usual ways.

        Raises:
            StoreError: the database cannot be used.
        """
        self.home = home
        self.settings = settings
        self.keys = keys
        self.clock = clock
        self.user = user or current_user()
        self.store = Store(settings.database_url(home), keys.sealer, clock=clock)
        self.audit = AuditLog(self.store, keys.identity, home / HEAD_NAME, user=self.user, clock=clock)

    def __repr__(self) -> str:
        return f"Node({self.agency}, {self.home})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def create(
        cls,
        home: Path,
        settings: Settings,
        passphrase: str,
        *,
        scrypt_n: int = SCRYPT_N,
        clock: Callable[[], float] = time.time,
        user: str = "",
    ) -> Self:
        """Create a data folder (mode 0700) with settings, keys and an empty store, and open it.

        Raises:
            KeysError: the folder contains a node already, or the passphrase is empty.
            ConfigError: the folder cannot be written.
            StoreError: the database cannot be created, or belongs to another node.
        """
        check_new(home)
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.chmod(0o700)
            for name in _FOLDERS:
                (home / name).mkdir(mode=0o700, exist_ok=True)
            write_atomically(home / config.FILE_NAME, render_settings(settings).encode())
        except OSError as error:
            raise ConfigError(f"{home}: {error.strerror}") from None
        try:
            ring = KeyRing.create(home / keyring.FILE_NAME, passphrase, settings.agency, scrypt_n=scrypt_n)
            node = cls(home, settings, ring, clock=clock, user=user)
            if node.store.last_audit() is not None:
                node.close()
                raise StoreError(
                    "the database belongs to another node already",
                    hint="Every node needs a database of its own: two audit logs in one would break both.",
                )
        except LocalError:
            # Nothing is sealed yet: a second attempt may start afresh, for example with a corrected database URL.
            for name in _FILES:
                (home / name).unlink(missing_ok=True)
            raise
        node.audit.append(AuditEvent.ALTERATION, subject="node", detail={"action": "init"})
        return node

    @classmethod
    def open(
        cls, home: Path, passphrase: str, *, clock: Callable[[], float] = time.time, user: str = ""
    ) -> Self:
        """Open a data folder.

        Raises:
            ConfigError: there is no node, or `node.toml` is wrong or of another agency than the keys.
            KeysError: wrong passphrase, or the keys are missing or damaged.
            StoreError: the database cannot be used.
        """
        settings = config.load_settings(home / config.FILE_NAME)
        ring = KeyRing.open(home / keyring.FILE_NAME, passphrase)
        if ring.agency != settings.agency:
            raise ConfigError(
                f"node.toml says {settings.agency}, but the keys are those of {ring.agency}",
                hint="An agency id cannot be changed: create a new node.",
            )
        return cls(home, settings, ring, clock=clock, user=user)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    @property
    def agency(self) -> str:
        """This agency's id."""
        return self.settings.agency

    @property
    def collections_dir(self) -> Path:
        """Where the collections' sealed files are."""
        return self.home / "collections"

    @property
    def epochs_dir(self) -> Path:
        """The folder of open epochs' sealed lists."""
        return self.home / "epochs"

    @property
    def rounds_dir(self) -> Path:
        """The folder of running rounds' arrays."""
        return self.home / "rounds"

    def certificate(self) -> certificates.CertificateInfo:
        """This node's certificate, checked: its key, its agency, its dates, its authority.

        Raises:
            ConfigError: it is missing or wrong.
        """
        own = certificates.load_certificates(self.home / self.settings.tls.certificate)
        info = certificates.check_own(own, self.keys.public, now=self.clock())
        certificates.check_chain(own, certificates.load_certificates(self.home / self.settings.tls.authority))
        return info

    def health(self) -> None:
        """Check that the node can work now; return if it can.

        Raises:
            StoreError: the database cannot be read.
            KeysError: the keys are missing from the folder, or differ from the open ones.
            ConfigError: the certificate is missing, invalid or not within its validity period.
        """
        self.store.ping()
        if keyring.PublicKeys.read(self.home / keyring.FILE_NAME) != self.keys.public:
            raise KeysError("keys.json was replaced while the node was running", hint="Restart the node.")
        self.certificate()


def check_new(home: Path) -> None:
    """Check that a node can be created in `home`; return if it can.

    Raises:
        KeysError: the folder contains a node, or parts of one that a new node's keys could not read.
    """
    found = [name for name in _FILES if (home / name).exists()]
    if found:
        raise KeysError(
            f"{home} holds a node already ({', '.join(found)})",
            hint="Choose another folder; keys are never overwritten.",
        )


def current_user() -> str:
    """Who acts: `BLINDMATCH_USER`, or the operating system's user. One line of at most 200 characters."""
    try:
        name = os.environ.get(USER_VARIABLE) or getpass.getuser()
    except (OSError, KeyError):  # a container's numeric user without a name
        name = f"uid {os.getuid()}"
    return "".join(c for c in name if c.isprintable())[:200] or "unknown"
