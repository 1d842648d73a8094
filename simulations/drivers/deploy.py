"""Sets an area up on this machine: a folder, a node with its certificate, and its input file for every agency."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindmatch.node.node import Node
from blindmatch.node.pki import certificates
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage.config import make_settings
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.plan import collection_name
from blindmatch.simulations.scenario.scenario import Agency, Collection, Scenario
from blindmatch.simulations.world import input_files
from blindmatch.simulations.world.area import AreaData

MARKER_NAME = ".blindmatch-simulation"
"""A folder with this file was made by a simulation and may be emptied by the next one."""

INPUTS = "input"
"""The folder of an area's files."""

REGISTER = "psc-snapshot.txt"
"""Every area's register, beside its agencies' files."""

UNLOCK_FILE = "passphrase.txt"
SIMULATION_SCRYPT_N = 2**13
"""Nodes of invented data open with a cheaper key derivation: 23 nodes are opened several times each."""


@dataclass(frozen=True)
class InputList:
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
    inputs: tuple[InputList, ...] = ()


def prepare_folder(out: Path) -> str:
    """Make or empty the simulation's folder and write its passphrase; returns the passphrase.

    Raises:
        ConfigError: the folder holds something that no simulation made.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER_NAME).exists():
            raise ConfigError(
                f"{out} is not empty, and no simulation made it", hint="Name another folder with --out."
            )
        _empty(out)
    return _claim(out)


def share_folder(out: Path, home: Path) -> str:
    """Make one node's place in the simulation's folder, perhaps on another machine than the one that prepared it.

    The first node on a machine makes the folder and its passphrase there; the others find both.

    Args:
        out: the simulation's folder.
        home: the node's, below it; emptied when an earlier run left something.

    Returns:
        The passphrase of this machine's nodes.

    Raises:
        ConfigError: the folder holds something that no simulation made, or cannot be written.
    """
    try:
        # The mark is always the first file.
        if out.exists() and any(out.iterdir()) and not (out / MARKER_NAME).exists():
            raise ConfigError(
                f"{out} is not empty, and no simulation made it", hint="Name another folder with --out."
            )
        passphrase = _claim(out)
        if home.exists():
            _empty(home)
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: {error.strerror}",
            hint="Name a folder with --out that can be written on every machine of the cluster.",
        ) from None
    return passphrase


def _claim(out: Path) -> str:
    """Mark a folder and give it a passphrase, unless it has one; several may do it at once."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER_NAME).write_text(
        "Made by `blindmatch simulate`; emptied by the next run with this --out.\n"
    )
    own = out / f".{secrets.token_hex(8)}"
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(16) + "\n")
    with suppress(FileExistsError):
        os.link(own, out / UNLOCK_FILE)
    own.unlink()
    return (out / UNLOCK_FILE).read_text(encoding="ascii").strip()


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _empty(entry)
            entry.rmdir()
        else:
            entry.unlink()


def write_inputs(scenario: Scenario, world: AreaData, folder: Path) -> tuple[Site, ...]:
    """Write an area's input files and say which agency reads which."""
    inputs = folder / INPUTS
    inputs.mkdir(parents=True, exist_ok=True)
    register = inputs / REGISTER
    input_files.write_register(register, world.companies, world.towns)
    return tuple(
        Site(
            agency.id,
            agency.name,
            agency.role,
            scenario.terms.bases[agency.role],
            folder / agency.id,
            tuple(write_list(world, agency, each, register) for each in agency.collections),
        )
        for agency in world.area.agencies
    )


def write_list(world: AreaData, agency: Agency, collection: Collection, register: Path) -> InputList:
    """Write one list's file, or write it again after it has changed."""
    key, inputs = agency.key(collection), register.parent
    stem, name = key.replace("/", "-"), collection_name(agency, collection.name)
    if collection.kind == "subjects":
        suffix = collection.format if input_files.parquet_available() else "csv"
        extract = inputs / f"{stem}.{suffix}"
        input_files.write_police(extract, world.subjects[key])
        return InputList(key, name, collection.kind, extract)
    source, mapping = inputs / f"{stem}.csv", None
    finance = collection.headings == "finance"
    input_files.write_suppliers(source, world.suppliers[key], finance_headings=finance)
    if finance:
        mapping = inputs / f"{stem}.mapping.toml"
        mapping.write_text(input_files.FINANCE_MAPPING, encoding="utf-8")
    return InputList(key, name, collection.kind, source, register, mapping)


def create_authority(folder: Path, passphrase: str, name: str, now: float) -> Authority:
    """The simulation's certificate authority."""
    return Authority.create(folder, passphrase, name, now=now, scrypt_n=SIMULATION_SCRYPT_N)


def deploy_node(
    site: Site,
    authority: Authority,
    passphrase: str,
    *,
    listen: str,
    now: float,
    sessions: int = 32,
    cluster: Mapping[str, Any] | None = None,
) -> Node:
    """Create a node, have its certificate issued, install it; returns the node, open."""
    node = create_node(site, passphrase, listen=listen, sessions=sessions, cluster=cluster)
    install(node, issue(authority, certificates.make_request(node.keys), now), now)
    return node


def create_node(
    site: Site,
    passphrase: str,
    *,
    listen: str,
    sessions: int = 32,
    cluster: Mapping[str, Any] | None = None,
) -> Node:
    """Create a node without a certificate; returns it, open.

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
    return Node.create(site.home, make_settings(values), passphrase, scrypt_n=SIMULATION_SCRYPT_N)


@dataclass(frozen=True)
class IssuedCertificate:
    """What an authority gives out: PEM, nothing secret."""

    certificate: bytes
    authority: bytes
    revoked: bytes


def issue(authority: Authority, request: bytes, now: float) -> IssuedCertificate:
    """Have a request (PEM) answered."""
    certificate = authority.issue(x509.load_pem_x509_csr(request), now=now, days=30)
    return IssuedCertificate(
        certificate.public_bytes(Encoding.PEM),
        (authority.folder / "authority.pem").read_bytes(),
        (authority.folder / "revoked.pem").read_bytes(),
    )


def install(node: Node, papers: IssuedCertificate, now: float) -> None:
    """Install what the authority gave out, through the node's own checks."""
    with TemporaryDirectory(prefix="blindmatch-papers-") as folder:
        paths = {name: Path(folder) / f"{name}.pem" for name in ("certificate", "authority", "revoked")}
        for name, path in paths.items():
            path.write_bytes(getattr(papers, name))
        certificates.install(node.home, node.settings, node.keys.public, **paths, now=now)
