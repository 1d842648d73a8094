"""The node's settings: `node.toml`, read strictly.

An unknown name or a value out of range is refused, with its place in the file. The file
contains no secret: keys are in `keys.json`, the passphrase is supplied at start-up, and a database password
belongs in `~/.pgpass` or in the environment variable `BLINDMATCH_DATABASE_URL`.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from blindmatch.protocol.errors import ConfigError

FILE_NAME = "node.toml"
DATABASE_NAME = "node.db"
DEFAULT_LISTEN = "127.0.0.1:7443"
AGENCY_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""An agency id is one DNS label, because it is part of the certificate's names."""

_ROLE_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,39}")


def check_agency(value: str) -> str:
    """Return `value` when it is an agency id, else raise ValueError with the rule."""
    if not AGENCY_PATTERN.fullmatch(value):
        raise ValueError("an agency id has 1 to 63 lower-case letters, digits and inner hyphens")
    return value


def check_role(value: str) -> str:
    """Return `value` when it is a role, such as `police` or `environment-agency`, else raise ValueError."""
    if not _ROLE_PATTERN.fullmatch(value):
        raise ValueError(
            "a role has 1 to 40 lower-case letters, digits and hyphens, such as police or council"
        )
    return value


def split_address(value: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port`; raise ValueError when it is neither."""
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not colon or not bare or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("an address is host:port, such as 127.0.0.1:7443 or [::1]:7443")
    if bracketed:
        ipaddress.IPv6Address(bare)
    elif ":" in bare:
        raise ValueError("write an IPv6 address in brackets: [::1]:7443")
    return bare, int(port)


def _address(value: str) -> str:
    split_address(value)
    return value


def _optional_address(value: str) -> str:
    return _address(value) if value else value


def _cluster_address(value: str) -> str:
    if value not in ("", "auto"):
        split_address(value.removeprefix("ray://"))
    return value


Agency = Annotated[str, AfterValidator(check_agency)]
Address = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, Field(max_length=400)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Database(_Section):
    """The database of collections, agreements, rounds and the audit log."""

    url: str = Field(default="", repr=False)
    """Empty for the SQLite file in the data folder; otherwise a SQLAlchemy URL."""


class Tls(_Section):
    """PEM files, relative to the data folder unless absolute."""

    certificate: str = "tls/certificate.pem"
    authority: str = "tls/authority.pem"
    revocation_list: str = "tls/revoked.pem"


class Log(_Section):
    """The server's log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Metrics(_Section):
    """Prometheus metrics over plain HTTP; serve them on loopback only or a management network."""

    listen: Annotated[str, AfterValidator(_optional_address)] = ""


class Service(_Section):
    """How much the server does at once."""

    sessions: int = Field(default=32, ge=1, le=1_024)
    """Edges that may run at the same time."""

    workers: int = Field(default=0, ge=0, le=256)
    """Threads for curve arithmetic; 0 means one per processor."""

    call_seconds: int = Field(default=120, ge=1, le=3_600)
    """Deadline of one call to a peer."""

    drain_seconds: int = Field(default=10, ge=0, le=600)
    """How long a stopping server waits for running calls."""


class Cluster(_Section):
    """The Ray cluster that does the heavy steps, with `engine = "ray"`."""

    address: Annotated[str, AfterValidator(_cluster_address)] = ""
    """`ray://host:port`, `host:port`, or `auto`; empty: started on this machine, on loopback, when it is needed."""

    workers: int = Field(default=0, ge=0, le=4_096)
    """Processes on the cluster; 0 means one per processor of its machines."""


class Peer(_Section):
    """Where another agency's node listens."""

    address: Address
    server_name: str = ""
    """The name that its certificate must carry; empty for `<agency>.agency.blindmatch`."""


class Settings(_Section):
    """All of `node.toml`, validated. Immutable."""

    agency: Agency
    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Annotated[str, AfterValidator(check_role)]
    legal_basis: Text = ""
    contact: Text = ""
    listen: Address = DEFAULT_LISTEN
    database: Database = Database()
    tls: Tls = Tls()
    log: Log = Log()
    metrics: Metrics = Metrics()
    service: Service = Service()
    engine: Literal["local", "ray"] = "local"
    cluster: Cluster = Cluster()
    peers: dict[Agency, Peer] = Field(default_factory=dict)

    def database_url(self, home: Path, environment: Mapping[str, str] = os.environ) -> str:
        """The SQLAlchemy URL: from the environment, else from the file, else SQLite inside `home`."""
        given = environment.get("BLINDMATCH_DATABASE_URL", "") or self.database.url
        return given or f"sqlite:///{(home / DATABASE_NAME).resolve()}"

    def peer(self, agency: str) -> Peer:
        """The entry of one peer.

        Raises:
            ConfigError: `node.toml` has none.
        """
        try:
            return self.peers[agency]
        except KeyError:
            raise ConfigError(
                f"no address is known for {agency}",
                hint=f"Add it: blindmatch node peer {agency} HOST:PORT",
            ) from None


def dns_name(agency: str) -> str:
    """The DNS name in an agency's certificate, whatever the address of its node."""
    return f"{agency}.agency.blindmatch"


def make_settings(values: Mapping[str, Any], where: str = "settings") -> Settings:
    """Validate settings that do not come from a file.

    Raises:
        ConfigError: names the first wrong field and why.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {field}: {reason}", hint="See the comments in node.toml.") from None


def load_settings(path: Path) -> Settings:
    """Read and validate `node.toml`.

    Raises:
        ConfigError: missing, unreadable, not TOML, or a wrong field.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no node in {path.parent}",
            hint="Create a node with `blindmatch node init`, or name its folder with --home.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    return make_settings(values, str(path))
