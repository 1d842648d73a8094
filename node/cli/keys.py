"""`blindmatch keys`: the node's keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    facts,
)
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.keyring import FILE_NAME, PublicKeys, change_passphrase
from blindmatch.node.storage.passphrase import read_passphrase

if TYPE_CHECKING:
    from blindmatch.node import node as folder
    from blindmatch.node.agreements import registry
    from blindmatch.node.rounds import standing
else:  # `keys list` does without the database
    folder = LazyModule("blindmatch.node.node")
    registry, standing = (
        LazyModule("blindmatch.node.agreements.registry"),
        LazyModule("blindmatch.node.rounds.standing"),
    )

app = typer.Typer(
    help="The node's keys: list them, change their passphrase, end epochs.", no_args_is_help=True
)


@app.command("list")
def list_(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Print the public keys. Needs no passphrase.

    The identity key (Ed25519) signs agreements, commitments, receipts and the audit log. The certificate key is
    the SHA-256 of the TLS key (ECDSA P-256) as certificates carry it.
    """
    public = PublicKeys.read(home / FILE_NAME)
    data = {
        "agency": public.agency,
        "identity_key": public.identity.hex(),
        "certificate_key": public.certificate_key.hex(),
    }
    emit(data, as_json, lambda: facts([(name.replace("_", " "), value) for name, value in data.items()]))


@app.command()
def rotate(
    *,
    agreement: Annotated[
        str,
        typer.Argument(metavar="[AGREEMENT]", help="Only under this agreement: its id, or its first digits."),
    ] = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the epochs of standing agreements: their keys, and all that was kept under them, are erased.

    The next round under each agreement is a full one, with new keys. The identity and TLS keys stay: other agencies'
    agreements name them. To change those, make a new node and sign its agreements again.
    """
    with folder.Node.open(home, read_passphrase(passphrase_file)) as node:
        chosen = None if not agreement else registry.find(node, agreement).id
        ended = standing.end_all(node, "its key was rotated", chosen)
        data = {"agency": node.agency, "epochs_ended": ended}
    emit(data, as_json, lambda: typer.echo(f"{ended} epochs ended."))


@app.command()
def passphrase(
    *,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    new_file: Annotated[
        Path | None,
        typer.Option(
            "--new-passphrase-file", help="File whose first line is the new passphrase; else a prompt."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change the passphrase. The keys stay the same, and so does everything that they seal.

    An old backup of keys.json still opens with the old passphrase: destroy it.
    """
    old = read_passphrase(passphrase_file)
    with folder.Node.open(home, old) as node:
        # The environment holds the old passphrase, so the new one comes from its own file or from a prompt.
        new = read_passphrase(new_file, new=True, prompt="New passphrase: ", environment={})
        change_passphrase(home / FILE_NAME, old, new)
        node.audit.append(AuditEvent.ALTERATION, subject="keys", detail={"action": "passphrase"})
        data = {"agency": node.agency, "changed": True}
    emit(data, as_json, lambda: typer.echo("The passphrase was changed."))
