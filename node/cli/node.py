"""`blindmatch node`: create this agency's node, serve it, show its status."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, PassphraseFile, RecordWire, open_node
from blindmatch.node.cli.output import emit, facts, moment, note
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.config import DEFAULT_LISTEN, FILE_NAME, make_settings
from blindmatch.node.storage.passphrase import read_passphrase

if TYPE_CHECKING:
    from blindmatch.node import server
    from blindmatch.node.operations.nodes import NodeStatus
    from blindmatch.node.storage import logs
else:
    logs, server = LazyModule("blindmatch.node.storage.logs"), LazyModule("blindmatch.node.server")

app = typer.Typer(no_args_is_help=True)


@app.command()
def init(
    *,
    agency: Annotated[str, typer.Option(help="The agency's id: lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="The agency's name.")],
    role: Annotated[str, typer.Option(help="police, council, hmrc, environment-agency, national, …")],
    home: Home = DEFAULT_HOME,
    listen: Annotated[str, typer.Option(help="HOST:PORT where other nodes reach this one.")] = DEFAULT_LISTEN,
    database: Annotated[str, typer.Option(help="A PostgreSQL URL; empty for a SQLite file.")] = "",
    legal_basis: Annotated[str, typer.Option(help="This agency's own lawful basis, for agreements.")] = "",
    contact: Annotated[str, typer.Option(help="Who is responsible for the node, for agreements.")] = "",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    r"""Create a data folder: settings, keys (encrypted under a passphrase), an empty database.

    The passphrase comes from --passphrase-file, from BLINDMATCH_PASSPHRASE, or from a prompt. Without it the folder cannot
    be used. Store it, and a backup of keys.json, in a safe place.

    For example:

        blindmatch node init --home west --agency west-force --name "West Force" --role police \
            --legal-basis "Crime and Disorder Act 1998 s.115"
    """
    values = {
        "agency": agency,
        "name": name,
        "role": role,
        "listen": listen,
        "database": {"url": database},
        "legal_basis": legal_basis,
        "contact": contact,
    }
    passphrase = partial(read_passphrase, passphrase_file, new=True)
    keys = operations.nodes.create(home, make_settings(values, "node init"), passphrase)
    emit({"agency": agency, "home": str(home), **keys.data()}, as_json)
    note(
        f"""
Next:
  blindmatch pki request --home {home} --out {agency}.csr     and give the file to your certificate authority
  blindmatch pki install --home {home} --certificate {agency}.pem --authority authority.pem
  blindmatch node peer OTHER-AGENCY HOST:PORT --home {home}   for each agency you will work with
  blindmatch node serve --home {home}
The settings are in {home / FILE_NAME}, with comments."""
    )


@app.command()
def serve(
    *,
    home: Home = DEFAULT_HOME,
    wire: RecordWire = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Answer other agencies' nodes until interrupted: mutual TLS 1.3, every call checked against its agreement.

    Logs go to stderr, as configured by [log] in node.toml. After SIGTERM or Ctrl-C, running calls may end first.
    """
    answer = server.serve  # first: importing it fixes TLS before anything imports gRPC
    with open_node(home, passphrase_file, record_wire=wire) as node:
        logs.configure(level=node.settings.log.level, form=node.settings.log.format)
        asyncio.run(answer(node))


@app.command()
def status(
    *, home: Home = DEFAULT_HOME, passphrase_file: PassphraseFile = None, as_json: AsJson = False
) -> None:
    """Show whether the node can work now, and what it holds. The exit status is 1 if it cannot.

    This inspects the data folder, not the network: the server need not be running.
    """
    with open_node(home, passphrase_file) as node:
        current = operations.nodes.status(node)
    emit(current.data(), as_json, lambda: _show_status(current))
    if not current.healthy:
        raise typer.Exit(1)


def _show_status(status: NodeStatus) -> None:
    pairs: list[tuple[str, object]] = [
        ("node", f"{status.name} ({status.agency}, {status.role})"),
        ("health", "usable" if status.healthy else f"NOT USABLE: {status.problem}"),
    ]
    if status.hint:
        pairs.append(("", status.hint))
    if status.certificate is not None:
        until = moment(status.certificate.not_after.timestamp())
        pairs.append(("certificate", f"valid until {until}, {status.days_left} days"))
    slow = " - 1,000 times slower and not constant-time: reinstall rbcl, or install libsodium"
    missing = " - the extension is not built: reinstall where there is a C compiler"
    pairs += [
        ("listen", status.listen),
        ("collections", status.collections),
        ("agreements", status.agreements),
        ("running edges", status.running_edges),
        ("audit entries", status.audit_entries),
        ("curve", f"{status.curve}{slow if status.curve == 'reference' else ''}"),
        ("hashing", f"{status.hashing}{missing if status.hashing == 'hashlib' else ''}"),
        ("engine", status.engine),
        *(("peer", f"{agency} at {address}") for agency, address in status.peers.items()),
    ]
    facts(pairs)


@app.command()
def card(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Print this node's public entry, which other agencies put into an agreement. This needs no passphrase.

    Compare the keys with the other agency over a channel that you both trust, such as a telephone call.
    """
    emit(operations.nodes.card(home).data(), as_json)


@app.command()
def peer(
    *,
    agency: Annotated[str, typer.Argument(help="The other agency's id.")],
    address: Annotated[str, typer.Argument(help="HOST:PORT of its node.")],
    home: Home = DEFAULT_HOME,
    server_name: Annotated[
        str, typer.Option(help="The name in its certificate, if it is not AGENCY.agency.blindmatch.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Add the address of another agency's node to node.toml.

    For example:

        blindmatch node peer north-council 192.0.2.10:7443 --home west
    """
    operations.nodes.add_peer(home, agency, address, server_name)
    emit({"agency": agency, "address": address, "server_name": server_name}, as_json)
