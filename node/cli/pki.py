"""`blindmatch pki`: node certificates, and a small authority for pilots."""

import time
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    facts,
    moment,
    note,
    table,
)
from blindmatch.node.pki import certificates
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage.config import FILE_NAME, load_settings
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.keyring import FILE_NAME as KEYS_NAME
from blindmatch.node.storage.keyring import KeyRing, PublicKeys
from blindmatch.node.storage.passphrase import read_passphrase
from blindmatch.protocol.errors import ConfigError

AuthorityOption = Annotated[
    Path, typer.Option("--authority", help="The authority's folder, away from every node.")
]
HostsOption = Annotated[
    list[str] | None, typer.Option("--host", help="A host name or IP address of the node. Repeatable.")
]

app = typer.Typer(
    help="""Certificates: a pilot's authority, requests, revocation.

    Nodes know each other by certificates from an authority that all of them trust. For a pilot, make a small one with
    `pki init`. An agency with its own authority names its files under [tls] in node.toml instead; the certificate must
    be for the node's own key (`pki request`), serve as TLS server and client certificate, and carry these subject
    alternative names:

        URI  urn:blindmatch:agency:AGENCY
        DNS  AGENCY.agency.blindmatch
    """,
    no_args_is_help=True,
)


@app.command()
def init(
    *,
    authority: AuthorityOption,
    name: Annotated[str, typer.Option(help="The authority's name, as it stands in certificates.")],
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a certificate authority for a pilot, in a folder of its own.

    Its key is encrypted under a passphrase of its own. Every node gets a copy of authority.pem, and of revoked.pem
    after each revocation; nothing else leaves the folder.

    For example:

        blindmatch pki init --authority authority --name "Pilot authority"
    """
    if (authority / "authority.json").exists():
        raise ConfigError(f"{authority} holds an authority already", hint="Choose another folder.")
    passphrase = read_passphrase(passphrase_file, new=True)
    made = Authority.create(authority, passphrase, name, now=time.time())
    until = made.certificate.not_valid_after_utc

    def render() -> None:
        typer.echo(f"Made the authority {name} in {authority}")
        typer.echo(f"valid until {moment(until.timestamp())}")

    emit({"name": name, "authority": str(authority), "not_after": until}, as_json, render)


@app.command()
def request(
    *,
    out: Annotated[Path, typer.Option(help="The request to write (PKCS #10, PEM).")],
    home: HomeOption = DEFAULT_HOME,
    host: HostsOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a certificate request for this node's TLS key; give it to the authority.

    The request names the agency; the key never leaves the node.

    For example:

        blindmatch pki request --home west --out west.csr
    """
    load_settings(home / FILE_NAME)
    keys = KeyRing.open(home / KEYS_NAME, read_passphrase(passphrase_file))
    write_atomically(out, certificates.make_request(keys, host or ()), 0o644)
    data = {"agency": keys.agency, "request": str(out), "certificate_key": keys.certificate_key.hex()}

    def render() -> None:
        typer.echo(f"request for {keys.agency} in {out}")
        typer.echo(f"certificate key  {data['certificate_key']}")

    emit(data, as_json, render)
    note("Tell the authority this key over a channel that you both trust.")


@app.command()
def issue(
    *,
    request: Annotated[Path, typer.Argument(help="The request that `certificates request` wrote.")],
    authority: AuthorityOption,
    out: Annotated[Path, typer.Option(help="The certificate to write (PEM).")],
    agency: Annotated[str, typer.Option(help="Refuse the request unless it is this agency's.")] = "",
    host: HostsOption = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it is valid.")] = 365,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a node certificate, with the authority's key.

    First compare the certificate key that this prints with the one that the agency tells you: whoever holds a
    certificate for an agency is that agency to all the others.

    For example:

        blindmatch pki issue west.csr --authority authority --out west.pem --agency west-force
    """
    wanted = certificates.load_request(request)
    named = certificates.agency_of(wanted)
    if agency and agency != named:
        raise ConfigError(f"the request is for {named}, not for {agency}")
    opened = Authority.open(authority, read_passphrase(passphrase_file))
    certificate = opened.issue(wanted, hosts=host or (), days=days, now=time.time())
    write_atomically(out, certificate.public_bytes(Encoding.PEM), 0o644)
    certificate_info = certificates.describe(certificate)

    def render() -> None:
        typer.echo(f"certificate for {named} in {out}")
        facts(_pairs(certificate_info))

    emit({**_data(certificate_info), "certificate": str(out)}, as_json, render)


@app.command()
def install(
    *,
    home: HomeOption = DEFAULT_HOME,
    certificate: Annotated[Path | None, typer.Option(help="This node's certificate (PEM).")] = None,
    authority: Annotated[
        Path | None, typer.Option(help="The authority's certificate, or several (PEM).")
    ] = None,
    revoked: Annotated[Path | None, typer.Option(help="The authority's revocation list (PEM).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check certificate files against this node and each other, and copy them into its folder.

    Give one, two or all three. Needs no passphrase. A running server reads a new revocation list by itself, and a new
    certificate when it is restarted.

    For example:

        blindmatch pki install --home west --certificate west.pem --authority authority/authority.pem
    """
    if certificate is None and authority is None and revoked is None:
        raise typer.BadParameter("give at least one of --certificate, --authority and --revoked")
    info = certificates.install(
        home,
        load_settings(home / FILE_NAME),
        PublicKeys.read(home / KEYS_NAME),
        certificate=certificate,
        authority=authority,
        revoked=revoked,
        now=time.time(),
    )
    text = f"installed for {info.agency}, valid until {moment(info.not_after.timestamp())}"
    emit(_data(info), as_json, lambda: typer.echo(text))


@app.command()
def revoke(
    *,
    which: Annotated[
        str, typer.Argument(help="A serial number (hexadecimal), or an agency for all of its own.")
    ],
    authority: AuthorityOption,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke certificates and renew the revocation list, revoked.pem in the authority's folder.

    Nodes refuse a revoked certificate once they have the new list:

        blindmatch pki install --home west --revoked authority/revoked.pem
    """
    opened = Authority.open(authority, read_passphrase(passphrase_file))
    revoked = opened.revoke(which, now=time.time())

    def render() -> None:
        for entry in revoked:
            typer.echo(f"revoked {entry.serial} of {entry.agency}")

    emit(revoked, as_json, render)
    note(f"Give {authority / 'revoked.pem'} to every node.")


@app.command()
def show(
    *,
    certificate: Annotated[Path | None, typer.Argument(help="A node's certificate or request (PEM).")] = None,
    authority: Annotated[
        Path | None, typer.Option("--authority", help="List what the authority in this folder issued.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a certificate says, or what an authority issued.

    For example:

        blindmatch pki show west.pem
        blindmatch pki show --authority authority
    """
    if (certificate is None) == (authority is None):
        raise typer.BadParameter("give a certificate, or --authority")
    if certificate is not None:
        info = certificates.describe(certificates.load_certificates(certificate)[0])
        emit(_data(info), as_json, lambda: facts(_pairs(info)))
        return
    if authority is not None:
        issued = Authority.open(authority, read_passphrase(passphrase_file)).issued()
        rows = [
            (e.agency, e.serial, moment(e.not_after), moment(e.revoked_at) if e.revoked_at else "")
            for e in issued
        ]
        empty = "Nothing was issued yet."
        emit(
            issued, as_json, lambda: table(("agency", "serial", "valid until", "revoked"), rows, empty=empty)
        )


def _data(info: certificates.CertificateInfo) -> dict[str, object]:
    return {name.replace(" ", "_"): value for name, value in _pairs(info)}


def _pairs(info: certificates.CertificateInfo) -> list[tuple[str, object]]:
    return [
        ("agency", info.agency),
        ("certificate key", info.certificate_key.hex()),
        ("serial", f"{info.serial:x}"),
        ("issuer", info.issuer),
        ("hosts", ", ".join(info.hosts)),
        ("valid from", moment(info.not_before.timestamp())),
        ("valid until", moment(info.not_after.timestamp())),
    ]
