"""Options and arguments that several commands have."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.hints import DEFAULT_HOME, remember_home
from blindmatch.node.storage.passphrase import read_passphrase

if TYPE_CHECKING:
    from blindmatch.node.node import Node

__all__ = ["DEFAULT_HOME"]

Home = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="BLINDMATCH_HOME",
        help="The node's data folder.",
        callback=remember_home,
    ),
]

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="BLINDMATCH_PASSPHRASE_FILE",
        help="File whose first line is the passphrase. Without it, BLINDMATCH_PASSPHRASE, or else a prompt.",
    ),
]
AgreementId = Annotated[
    str, typer.Argument(metavar="AGREEMENT", help="The agreement's id, or its first digits.")
]
OneEdge = Annotated[str, typer.Option(help="Only this edge.")]
Encoding = Annotated[
    str, typer.Option(help="The encoding of a text file: utf-8, cp1252, iso-8859-1, iso-8859-15.")
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file that maps columns to fields. Without it, the usual headings are recognised."
    ),
]
OutFile = Annotated[Path | None, typer.Option(help="The file to write. Without it, stdout.")]
RecordWire = Annotated[
    Path | None,
    typer.Option("--record-wire", help="Write every decrypted message to this folder. For trials."),
]
Justification = Annotated[str, typer.Option(help="The reason, for this node's audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def open_node(home: Path, passphrase_file: Path | None, *, record_wire: Path | None = None) -> "Node":
    """The node in `home`, open; see `operations.nodes.open_node`. Use it in a `with`."""
    return operations.nodes.open_node(
        home, partial(read_passphrase, passphrase_file), record_wire=record_wire
    )
