"""Writing `node.toml`: the commented file that `node init` creates, and the entries added to it later."""

import json
from pathlib import Path
from typing import Any

from blindmatch.node.storage.config import Settings, load_settings, make_settings
from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol.errors import ConfigError

_TEMPLATE = """\
# blindmatch node settings. Restart `blindmatch node serve` after a change.
# No secret belongs here: the keys are in keys.json, and the passphrase comes from a file, from
# BLINDMATCH_PASSPHRASE or from a prompt.

# This agency's id (one DNS label), its name for people, and its role: police, council, hmrc,
# environment-agency, national, ... The id is part of the certificate and of every agreement.
agency = {agency}
name = {name}
role = {role}

# This agency's lawful basis, and the contact for this node. Both are copied into new agreements.
legal_basis = {legal_basis}
contact = {contact}

# Where the arithmetic of a round runs: "local", on this machine; or "ray", on the Ray cluster below.
engine = {engine}

# The address on which the node accepts other agencies' nodes (mutual TLS 1.3).
listen = {listen}

[database]
# Empty: the SQLite file node.db in this folder. Otherwise a URL such as postgresql://user@host/blindmatch.
# Do not write a password here: use ~/.pgpass, or the environment variable BLINDMATCH_DATABASE_URL.
url = {database[url]}

[tls]
# PEM files, relative to this folder. `blindmatch pki install` copies them there. An agency with its own
# certificate authority names its files here instead; `blindmatch pki request --help` lists the names
# that the certificate must carry.
certificate = {tls[certificate]}
authority = {tls[authority]}
revocation_list = {tls[revocation_list]}

[log]
level = {log[level]}        # debug, info, warning, error
format = {log[format]}       # json, console

[metrics]
# Prometheus metrics over plain HTTP, for example 127.0.0.1:9443. Empty: none.
listen = {metrics[listen]}

[service]
sessions = {service[sessions]}        # edges that may run at the same time
workers = {service[workers]}          # threads for curve arithmetic; 0: one per processor
call_seconds = {service[call_seconds]}   # deadline of one call to a peer
drain_seconds = {service[drain_seconds]}   # how long a stopping server waits for running calls

[cluster]
# With engine = "ray": ray://HOST:PORT or HOST:PORT of the cluster, or auto for a cluster that runs on this machine.
# Empty: a cluster is started on this machine when needed, on loopback only. Read docs/deploy.md first.
address = {cluster[address]}
workers = {cluster[workers]}          # processes on the cluster; 0: one per processor of its machines

# The addresses of the other agencies' nodes; `blindmatch node peer AGENCY HOST:PORT` adds an entry.
# [peers.north-council]
# address = "192.0.2.10:7443"
# server_name = ""      # empty: north-council.agency.blindmatch, which every issued certificate carries
"""


def render_settings(settings: Settings) -> str:
    """The text of a commented `node.toml` that loads as `settings`."""
    text = _TEMPLATE.format(**_written(settings.model_dump()))
    for agency, peer in settings.peers.items():
        text += _peer_entry(agency, peer.address, peer.server_name)
    return text


def add_peer(path: Path, agency: str, address: str, server_name: str = "") -> Settings:
    """Append a peer to `node.toml`, leaving every other byte as it is, and return the new settings.

    Raises:
        ConfigError: the entry is wrong, or the agency has one already.
    """
    settings = load_settings(path)
    if agency == settings.agency:
        raise ConfigError(f"{agency} is this node itself", hint="Name the other agency.")
    if agency in settings.peers:
        raise ConfigError(f"{agency} has an entry already", hint=f"Edit [peers.{agency}] in {path}.")
    peers = {agency: {"address": address, "server_name": server_name}}
    make_settings({**settings.model_dump(include={"agency", "name", "role"}), "peers": peers}, "peer")
    write_atomically(
        path, (path.read_text(encoding="utf-8") + _peer_entry(agency, address, server_name)).encode()
    )
    return load_settings(path)


def _peer_entry(agency: str, address: str, server_name: str) -> str:
    entry = f"\n[peers.{agency}]\naddress = {_string(address)}\n"
    return entry + (f"server_name = {_string(server_name)}\n" if server_name else "")


def _written(value: Any) -> Any:
    """Settings as TOML writes each of them."""
    if isinstance(value, dict):
        return {name: _written(each) for name, each in value.items()}
    return _string(value) if isinstance(value, str) else value


def _string(value: str) -> str:
    # A JSON string is a TOML basic string, except that TOML refuses a bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
