"""`blindmatch keys`: the node's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, PassphraseFile, open_node
from blindmatch.node.cli.output import emit
from blindmatch.node.storage.passphrase import read_passphrase

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Print the public keys. This needs no passphrase.

    The identity key (Ed25519) signs agreements, commitments, receipts and the audit log. The certificate key is the SHA-256
    of the TLS key (ECDSA P-256), in the encoding of certificates (SubjectPublicKeyInfo).
    """
    emit(operations.keys.public_keys(home).data(), as_json)


@app.command()
def rotate(
    *,
    agreement: Annotated[
        str, typer.Argument(metavar="[AGREEMENT]", help="Only this agreement: its id, or its first digits.")
    ] = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """End the epochs of standing agreements: erase their keys, and everything stored under them.

    The next round under each agreement is a full one, with new keys. The identity and TLS keys do not change, because
    other agencies' agreements name them. To change those, create a new node and sign its agreements again.
    """
    with open_node(home, passphrase_file) as node:
        ended = operations.epochs.end(node, agreement=agreement)
    emit(ended.data(), as_json, lambda: typer.echo(f"{ended.epochs} epochs ended."))


@app.command()
def passphrase(
    *,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    new_file: Annotated[
        Path | None,
        typer.Option("--new-passphrase-file", help="The same for the new passphrase. Without it, a prompt."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the passphrase. The keys stay the same, and so does everything that they seal.

    An old backup of keys.json still opens with the old passphrase: destroy it.
    """
    old = read_passphrase(passphrase_file)
    with operations.nodes.open_node(home, lambda: old) as node:
        # The environment holds the old passphrase, so the new one comes from its own file or from a prompt.
        new = read_passphrase(new_file, new=True, prompt="New passphrase: ", environment={})
        operations.keys.change_passphrase(node, old, new)
        data = {"agency": node.agency, "changed": True}
    emit(data, as_json, lambda: typer.echo("The passphrase was changed."))
