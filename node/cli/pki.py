"""`blindmatch pki`: node certificates, and a small authority for pilots."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, PassphraseFile
from blindmatch.node.cli.output import emit, moment, note, table
from blindmatch.node.storage.passphrase import read_passphrase

AuthorityOption = Annotated[
    Path, typer.Option("--authority", help="The authority's folder, away from every node.")
]
HostsOption = Annotated[
    list[str] | None, typer.Option("--host", help="A host name or IP address of the node. Repeatable.")
]

app = typer.Typer(
    help="""Certificates: a pilot authority, requests, revocation.

    Nodes identify each other by certificates from an authority that all of them trust. For a pilot, create a small one
    with `pki init`. An agency with its own authority names its files under [tls] in node.toml instead. The certificate
    must be for the node's own key (`pki request`), serve as TLS server and client certificate, and have these subject
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
    name: Annotated[str, typer.Option(help="The authority's name, as certificates state it.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a certificate authority for a pilot, in a folder of its own.

    Its key is encrypted under a passphrase of its own. Every node gets a copy of authority.pem, and of revoked.pem
    after each revocation. Nothing else leaves the folder.

    For example:

        blindmatch pki init --authority authority --name "Pilot authority"
    """
    passphrase = partial(read_passphrase, passphrase_file, new=True)
    until = operations.certificates.create_authority(authority, name, passphrase)
    emit({"name": name, "authority": str(authority), "not_after": until.isoformat()}, as_json)


@app.command()
def request(
    *,
    out: Annotated[Path, typer.Option(help="The request to write (PKCS #10, PEM).")],
    home: Home = DEFAULT_HOME,
    host: HostsOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a certificate request for this node's TLS key. Give the file to the authority.

    The request names the agency. The key never leaves the node.

    For example:

        blindmatch pki request --home west --out west.csr
    """
    passphrase = partial(read_passphrase, passphrase_file)
    keys = operations.certificates.request(home, out, passphrase, hosts=host or ())
    key = keys.certificate_key.hex()
    emit({"agency": keys.agency, "request": str(out), "certificate_key": key}, as_json)
    note("Give this key to the authority over a channel that you both trust.")


@app.command()
def issue(
    *,
    request: Annotated[Path, typer.Argument(help="The request that `pki request` wrote.")],
    authority: AuthorityOption,
    out: Annotated[Path, typer.Option(help="The certificate to write (PEM).")],
    agency: Annotated[str, typer.Option(help="Refuse the request unless it is this agency's.")] = "",
    host: HostsOption = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it is valid.")] = 365,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Issue a node certificate, with the authority's key.

    Compare the certificate key that this prints with the one that the agency gives you over another channel: the holder
    of a certificate for an agency acts as that agency towards all others.

    For example:

        blindmatch pki issue west.csr --authority authority --out west.pem --agency west-force
    """
    issued = operations.certificates.issue(
        authority,
        request,
        out,
        partial(read_passphrase, passphrase_file),
        agency=agency,
        hosts=host or (),
        days=days,
    )
    emit({**issued.data(), "certificate": str(out)}, as_json)


@app.command()
def install(
    *,
    home: Home = DEFAULT_HOME,
    certificate: Annotated[Path | None, typer.Option(help="This node's certificate (PEM).")] = None,
    authority: Annotated[
        Path | None, typer.Option(help="The authority's certificate, or several (PEM).")
    ] = None,
    revoked: Annotated[Path | None, typer.Option(help="The authority's revocation list (PEM).")] = None,
    as_json: AsJson = False,
) -> None:
    """Check certificate files against this node and against each other, and copy them into its folder.

    Give one, two or all three. This needs no passphrase. A running server reads a new revocation list by itself, and a
    new certificate when it is restarted.

    For example:

        blindmatch pki install --home west --certificate west.pem --authority authority/authority.pem
    """
    if certificate is None and authority is None and revoked is None:
        raise typer.BadParameter("give at least one of --certificate, --authority and --revoked")
    info = operations.certificates.install(
        home, certificate=certificate, authority=authority, revoked=revoked
    )
    emit(info.data(), as_json)


@app.command()
def revoke(
    *,
    which: Annotated[
        str, typer.Argument(help="A serial number (hexadecimal), or an agency to revoke all of its own.")
    ],
    authority: AuthorityOption,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Revoke certificates and renew the revocation list, revoked.pem in the authority's folder.

    Nodes refuse a revoked certificate once they have the new list:

        blindmatch pki install --home west --revoked authority/revoked.pem
    """
    revoked = operations.certificates.revoke(authority, which, partial(read_passphrase, passphrase_file))

    def render() -> None:
        for entry in revoked:
            typer.echo(f"revoked {entry.serial} of {entry.agency}")

    emit([entry.data() for entry in revoked], as_json, render)
    note(f"Give {authority / 'revoked.pem'} to every node.")


@app.command()
def show(
    *,
    certificate: Annotated[Path | None, typer.Argument(help="A node's certificate (PEM).")] = None,
    authority: Annotated[
        Path | None, typer.Option(help="List what the authority in this folder issued.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the contents of a certificate, or the certificates that an authority issued.

    Only the second needs a passphrase, that of the authority.

    For example:

        blindmatch pki show west.pem
        blindmatch pki show --authority authority
    """
    if (certificate is None) == (authority is None):
        raise typer.BadParameter("give a certificate, or --authority")
    if certificate is not None:
        emit(operations.certificates.read(certificate).data(), as_json)
    if authority is not None:
        issued = operations.certificates.issued(authority, partial(read_passphrase, passphrase_file))
        columns = ("agency", "serial", "valid until", "revoked")
        rows = [
            (e.agency, e.serial, moment(e.not_after), moment(e.revoked_at) if e.revoked_at else "")
            for e in issued
        ]
        empty = "No certificate was issued yet."
        emit([entry.data() for entry in issued], as_json, lambda: table(columns, rows, empty=empty))
