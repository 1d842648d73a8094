"""Sets up an area on a machine: for every agency a folder, a node with its certificate, and its input files."""

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
"""The file that marks a folder of a simulation; the next simulation may empty it."""

INPUTS = "input"
"""The folder of an area's files."""

REGISTER = "psc-snapshot.txt"
"""Every area's register, beside its agencies' files."""

UNLOCK_FILE = "passphrase.txt"
SIMULATION_SCRYPT_N = 2**13
"""A weaker key derivation for nodes of invented data, because 23 nodes are opened several times each."""


@dataclass(frozen=True)
class InputList:
    """One list of an agency, written to a file."""

    list: str
    """Its key in `AreaData`."""
    collection: str
    """Its name in the node."""
    kind: str
    """`subjects` or `suppliers`."""
    source: Path
    register: Path | None = None
    mapping: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that the import reads."""
        return tuple(path for path in (self.source, self.register, self.mapping) if path is not None)


@dataclass(frozen=True)
class Site:
    """One agency of a simulation: its node's settings and folder, and its input files."""

    agency: str
    name: str
    role: str
    legal_basis: str
    home: Path
    inputs: tuple[InputList, ...] = ()


def prepare_folder(out: Path) -> str:
    """Create or empty the simulation's folder, and write and return its passphrase.

    Raises:
        ConfigError: the folder has content that no simulation created.
    """
    _check_ours(out)
    if out.exists():
        _empty(out)
    return _claim(out)


def _check_ours(out: Path) -> None:
    # The marker is always written first.
    if out.exists() and any(out.iterdir()) and not (out / MARKER_NAME).exists():
        raise ConfigError(
            f"{out} is not empty, and no simulation created it", hint="Name another folder with --out."
        )


def share_folder(out: Path, home: Path) -> str:
    """Create one node's folder in the simulation's folder, possibly on another machine than the one that prepared it.

    The first node on a machine creates the simulation's folder and its passphrase there; the others use both.

    Args:
        out: the simulation's folder.
        home: the node's folder, below it; emptied of the files of an earlier run.

    Returns:
        The passphrase of this machine's nodes.

    Raises:
        ConfigError: the folder has content that no simulation created, or cannot be written.
    """
    try:
        _check_ours(out)
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
    """Mark a folder and write its passphrase unless it has one; several processes can do this at once."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER_NAME).write_text(
        "Created by `blindmatch simulate`; emptied by the next run with this --out.\n"
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


def write_inputs(scenario: Scenario, area_data: AreaData, folder: Path) -> tuple[Site, ...]:
    """Write an area's input files; returns the sites with the files of each."""
    inputs = folder / INPUTS
    inputs.mkdir(parents=True, exist_ok=True)
    register = inputs / REGISTER
    input_files.write_register(register, area_data.companies, area_data.towns)
    return tuple(
        Site(
            agency.id,
            agency.name,
            agency.role,
            scenario.terms.bases[agency.role],
            folder / agency.id,
            tuple(write_list(area_data, agency, each, register) for each in agency.collections),
        )
        for agency in area_data.area.agencies
    )


def write_list(area_data: AreaData, agency: Agency, collection: Collection, register: Path) -> InputList:
    """Write one list's file, also after the list has changed."""
    key, inputs = agency.key(collection), register.parent
    stem, name = key.replace("/", "-"), collection_name(agency, collection.name)
    if collection.kind == "subjects":
        suffix = collection.format if input_files.parquet_available() else "csv"
        extract = inputs / f"{stem}.{suffix}"
        input_files.write_police(extract, area_data.subjects[key])
        return InputList(key, name, collection.kind, extract)
    source, mapping = inputs / f"{stem}.csv", None
    finance = collection.headings == "finance"
    input_files.write_suppliers(source, area_data.suppliers[key], finance_headings=finance)
    if finance:
        mapping = inputs / f"{stem}.mapping.toml"
        mapping.write_text(input_files.FINANCE_MAPPING, encoding="utf-8")
    return InputList(key, name, collection.kind, source, register, mapping)


def create_authority(folder: Path, passphrase: str, name: str, now: float) -> Authority:
    """Create the simulation's certificate authority."""
    return Authority.create(folder, passphrase, name, now=now, scrypt_n=SIMULATION_SCRYPT_N)


def create_node(
    site: Site, passphrase: str, *, listen: str, cluster: Mapping[str, Any] | None = None
) -> Node:
    """Create a node without a certificate; returns it, open.

    With `cluster`, as in `node.toml`, a Ray cluster does its arithmetic.
    """
    values = {
        "agency": site.agency,
        "name": site.name,
        "role": site.role,
        "legal_basis": site.legal_basis,
        "contact": f"duty officer, {site.name}",
        "listen": listen,
        "log": {"level": "warning"},
        "service": {"sessions": 32, "drain_seconds": 2},
        **({} if cluster is None else {"engine": "ray", "cluster": dict(cluster)}),
    }
    return Node.create(site.home, make_settings(values), passphrase, scrypt_n=SIMULATION_SCRYPT_N)


def certify(node: Node, authority: Authority, now: float) -> None:
    """Issue and install the certificate of a node that was created."""
    install(node, issue(authority, certificates.make_request(node.keys), now), now)


@dataclass(frozen=True)
class IssuedCertificate:
    """The files that an authority issues: PEM, without secrets."""

    certificate: bytes
    authority: bytes
    revoked: bytes


def issue(authority: Authority, request: bytes, now: float) -> IssuedCertificate:
    """Issue a certificate for a request (PEM)."""
    certificate = authority.issue(x509.load_pem_x509_csr(request), now=now, days=30)
    return IssuedCertificate(
        certificate.public_bytes(Encoding.PEM),
        (authority.folder / "authority.pem").read_bytes(),
        (authority.folder / "revoked.pem").read_bytes(),
    )


def install(node: Node, issued: IssuedCertificate, now: float) -> None:
    """Install an issued certificate, through the node's own checks."""
    with TemporaryDirectory(prefix="blindmatch-certificate-") as folder:
        paths = {name: Path(folder) / f"{name}.pem" for name in ("certificate", "authority", "revoked")}
        for name, path in paths.items():
            path.write_bytes(getattr(issued, name))
        certificates.install(node.home, node.settings, node.keys.public, **paths, now=now)
