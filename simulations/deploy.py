"""Sets an area up on this machine: a folder, a node with its certificate, and its input file for every agency."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindmatch.node import pki
from blindmatch.node.authority import Authority
from blindmatch.node.config import make_settings
from blindmatch.node.home import Node
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations import files
from blindmatch.simulations.plan import collection_name
from blindmatch.simulations.scenario import Agency, Collection, Scenario
from blindmatch.simulations.world import World

MARK = ".blindmatch-simulation"
"""A folder with this file was made by a simulation and may be emptied by the next one."""

UNLOCK_FILE = "passphrase.txt"
SIMULATION_SCRYPT_N = 2**13
"""Nodes of invented data open with a cheaper key derivation: 23 nodes are opened several times each."""


@dataclass(frozen=True)
class Input:
    """One list of an agency, written to a file."""

    list: str
    """Its key in the world."""
    collection: str
    """What it is called in the node."""
    kind: str
    """`subjects` or `suppliers`."""
    source: Path
    register: Path | None = None
    mapping: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that the import reads."""
        return tuple(path for path in (self.source, self.register, self.mapping) if path is not None)


@dataclass(frozen=True)
class Site:
    """One agency of a simulation: its node's folder and its input."""

    agency: str
    name: str
    role: str
    legal_basis: str
    home: Path
    inputs: tuple[Input, ...] = ()


def prepare_folder(out: Path) -> str:
    """Make or empty the simulation's folder and write its passphrase; returns the passphrase.

    Raises:
        ConfigError: the folder holds something that no simulation made.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / MARK).exists():
            raise ConfigError(
                f"{out} is not empty, and no simulation made it", hint="Name another folder with --out."
            )
        _empty(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text("Made by `blindmatch simulate`; emptied by the next run with this --out.\n")
    passphrase = secrets.token_hex(16)
    descriptor = os.open(out / UNLOCK_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(passphrase + "\n")
    return passphrase


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _empty(entry)
            entry.rmdir()
        else:
            entry.unlink()


def write_inputs(scenario: Scenario, world: World, folder: Path) -> tuple[Site, ...]:
    """Write an area's input files and say which agency reads which."""
    inputs = folder / "input"
    inputs.mkdir(parents=True, exist_ok=True)
    register = inputs / "psc-snapshot.txt"
    files.write_register(register, world.companies, world.towns)
    return tuple(
        Site(
            agency.id,
            agency.name,
            agency.role,
            scenario.terms.bases[agency.role],
            folder / agency.id,
            tuple(_write_list(world, agency, each, register) for each in agency.collections),
        )
        for agency in world.area.agencies
    )


def _write_list(world: World, agency: Agency, collection: Collection, register: Path) -> Input:
    key, inputs = agency.key(collection), register.parent
    stem, name = key.replace("/", "-"), collection_name(agency, collection.name)
    if collection.kind == "subjects":
        suffix = collection.format if files.parquet_available() else "csv"
        extract = inputs / f"{stem}.{suffix}"
        files.write_police(extract, world.subjects[key])
        return Input(key, name, collection.kind, extract)
    source, mapping = inputs / f"{stem}.csv", None
    finance = collection.headings == "finance"
    files.write_suppliers(source, world.suppliers[key], finance_headings=finance)
    if finance:
        mapping = inputs / f"{stem}.mapping.toml"
        mapping.write_text(files.FINANCE_MAPPING, encoding="utf-8")
    return Input(key, name, collection.kind, source, register, mapping)


def make_authority(folder: Path, passphrase: str, name: str, now: float) -> Authority:
    """The simulation's certificate authority."""
    return Authority.create(folder, passphrase, name, now=now, scrypt_n=SIMULATION_SCRYPT_N)


def make_node(
    site: Site,
    authority: Authority,
    passphrase: str,
    *,
    listen: str,
    now: float,
    sessions: int = 32,
    cluster: Mapping[str, Any] | None = None,
) -> Node:
    """Create a node, have its certificate issued, install it; returns the node, open.

    With `cluster`, as in `node.toml`, a Ray cluster does its heavy arithmetic.
    """
    values = {
        "agency": site.agency,
        "name": site.name,
        "role": site.role,
        "legal_basis": site.legal_basis,
        "contact": f"duty officer, {site.name}",
        "listen": listen,
        "log": {"level": "warning"},
        "service": {"sessions": sessions, "drain_seconds": 2},
        **({} if cluster is None else {"engine": "ray", "cluster": dict(cluster)}),
    }
    node = Node.create(site.home, make_settings(values), passphrase, scrypt_n=SIMULATION_SCRYPT_N)
    request = x509.load_pem_x509_csr(pki.make_request(node.keys))
    certificate = site.home / "issued.pem"
    certificate.write_bytes(authority.issue(request, now=now, days=30).public_bytes(Encoding.PEM))
    pki.install(
        site.home,
        node.settings,
        node.keys.public,
        certificate=certificate,
        authority=authority.folder / "authority.pem",
        revoked=authority.folder / "revoked.pem",
        now=now,
    )
    certificate.unlink()
    return node
