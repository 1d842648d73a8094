"""`blindmatch node`: make this agency's node, serve it, see how it is."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    facts,
    moment,
    note,
    open_node,
)
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.config import DEFAULT_LISTEN, FILE_NAME, load_settings, make_settings
from blindmatch.node.storage.config_template import add_peer
from blindmatch.node.storage.keyring import FILE_NAME as KEYS_NAME
from blindmatch.node.storage.keyring import PublicKeys
from blindmatch.node.storage.passphrase import read_passphrase
from blindmatch.protocol.errors import LocalError

if TYPE_CHECKING:
    from blindmatch.node import node as folder
    from blindmatch.node import server
    from blindmatch.node.storage import logs
    from blindmatch.node.transport import message_recorder as wire_module
    from blindmatch.protocol import group, hashing
else:
    folder, logs, server, wire_module = (
        LazyModule(f"blindmatch.node.{name}")
        for name in ("node", "storage.logs", "server", "transport.message_recorder")
    )
    group, hashing = LazyModule("blindmatch.protocol.group"), LazyModule("blindmatch.protocol.hashing")

app = typer.Typer(help="This agency's node: make it, serve it, see how it is.", no_args_is_help=True)


@app.command()
def init(
    *,
    agency: Annotated[str, typer.Option(help="The agency's id: lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Its name, as people call it.")],
    role: Annotated[str, typer.Option(help="police, council, hmrc, environment-agency, national, …")],
    home: HomeOption = DEFAULT_HOME,
    listen: Annotated[str, typer.Option(help="Where other nodes reach this one.")] = DEFAULT_LISTEN,
    database: Annotated[str, typer.Option(help="A PostgreSQL URL; empty for a SQLite file.")] = "",
    legal_basis: Annotated[str, typer.Option(help="This agency's own lawful basis, for agreements.")] = "",
    contact: Annotated[str, typer.Option(help="Who answers for the node, for agreements.")] = "",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Make a data folder: settings, keys (encrypted under a passphrase), an empty database.

    The passphrase comes from --passphrase-file, from BLINDMATCH_PASSPHRASE, or from a prompt. Without it the
    folder is worth nothing, so keep it, and a backup of keys.json, in a safe place.

    For example:

        blindmatch node init --home west --agency west-force --name "West Force" --role police \
            --legal-basis "Crime and Disorder Act 1998 s.115"
    """
    values: dict[str, Any] = {
        "agency": agency,
        "name": name,
        "role": role,
        "listen": listen,
        "database": {"url": database},
        "legal_basis": legal_basis,
        "contact": contact,
    }
    settings = make_settings(values, "node init")
    folder.check_new(home)  # before a passphrase is asked for
    with folder.Node.create(home, settings, read_passphrase(passphrase_file, new=True)) as node:
        data = {
            "agency": node.agency,
            "home": str(home),
            "identity_key": node.keys.identity_public.hex(),
            "certificate_key": node.keys.certificate_key.hex(),
        }

    def render() -> None:
        typer.echo(f"Made the node of {settings.name} ({data['agency']}) in {home}")
        typer.echo(f"identity key     {data['identity_key']}")
        typer.echo(f"certificate key  {data['certificate_key']}")

    emit(data, as_json, render)
    note(
        f"""
Next:
  blindmatch pki request --home {home} --out {agency}.csr     and give the file to your certificate authority
  blindmatch pki install --home {home} --certificate {agency}.pem --authority authority.pem
  blindmatch node peer OTHER-AGENCY HOST:PORT --home {home}   for each agency you will work with
  blindmatch node serve --home {home}
Settings are in {home / FILE_NAME}; read the comments there."""
    )


@app.command()
def serve(
    *,
    home: HomeOption = DEFAULT_HOME,
    wire: Annotated[
        Path | None,
        typer.Option("--record-wire", help="Keep every decrypted message in this folder; for trials."),
    ] = None,
    passphrase_file: PassphraseOption = None,
) -> None:
    """Answer other agencies' nodes until interrupted: mutual TLS 1.3, every call checked against its agreement.

    Logs go to stderr, as [log] in node.toml says. SIGTERM and Ctrl-C let running calls end first.
    """
    answer = server.serve  # first: importing it fixes TLS before anything imports gRPC
    with open_node(home, passphrase_file) as node:
        logs.configure(level=node.settings.log.level, form=node.settings.log.format)
        recorder = None if wire is None else wire_module.WireRecorder(wire)
        asyncio.run(answer(node, wire=recorder))


@app.command()
def status(
    *, home: HomeOption = DEFAULT_HOME, passphrase_file: PassphraseOption = None, as_json: JsonOption = False
) -> None:
    """Say whether the node can work now, and what it holds. Exit status 1 when it cannot.

    This looks at the data folder, not at the network: the server need not be running.
    """
    from blindmatch.node.compute import engine  # noqa: PLC0415 - the protocol is slow to import

    with open_node(home, passphrase_file) as node:
        problem = hint = ""
        certificate: dict[str, Any] | None = None
        try:
            info = node.certificate()
            days = int((info.not_after.timestamp() - time.time()) // 86_400)
            certificate = {"serial": f"{info.serial:x}", "not_after": info.not_after, "days_left": days}
            node.health()
        except LocalError as error:
            problem, hint = error.message, error.hint
        last = node.store.last_audit()
        running = node.store.edges(running=True)
        data = {
            "agency": node.agency,
            "name": node.settings.name,
            "role": node.settings.role,
            "listen": node.settings.listen,
            "healthy": not problem,
            "problem": problem,
            "hint": hint,
            "certificate": certificate,
            "peers": {agency: peer.address for agency, peer in sorted(node.settings.peers.items())},
            "collections": len(node.store.collections()),
            "agreements": len(node.store.agreements()),
            "running_edges": len(running),
            "curve": group.backend_description(),
            "hashing": hashing.backend_name(),
            "engine": engine.describe(node.settings),
            "audit_entries": 0 if last is None else last.seq,
        }

    def render() -> None:
        pairs: list[tuple[str, object]] = [("node", f"{data['name']} ({data['agency']}, {data['role']})")]
        pairs.append(("health", f"NOT USABLE: {problem}" if problem else "usable"))
        if hint:
            pairs.append(("", hint))
        if certificate is not None:
            until = moment(certificate["not_after"].timestamp())
            pairs.append(("certificate", f"valid until {until}, {certificate['days_left']} days"))
        pairs += [(name.replace("_", " "), data[name]) for name in ("listen", "collections", "agreements")]
        pairs += [(name.replace("_", " "), data[name]) for name in ("running_edges", "audit_entries")]
        slow = " - 1,000 times slower and not constant-time: reinstall rbcl, or install libsodium"
        pairs.append(("curve", f"{data['curve']}{slow if data['curve'] == 'reference' else ''}"))
        built = " - the extension is not built: reinstall where there is a C compiler"
        pairs.append(("hashing", f"{data['hashing']}{built if data['hashing'] == 'hashlib' else ''}"))
        pairs.append(("engine", data["engine"]))
        pairs += [("peer", f"{agency} at {peer.address}") for agency, peer in node.settings.peers.items()]
        facts(pairs)

    emit(data, as_json, render)
    if problem:
        raise typer.Exit(1)


@app.command()
def card(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Print this node's public entry: what other agencies put into an agreement. Needs no passphrase.

    Compare the keys with the other agency over a channel that you both trust, such as a telephone call.
    """
    settings = load_settings(home / FILE_NAME)
    public = PublicKeys.read(home / KEYS_NAME)
    data = {
        "agency": settings.agency,
        "name": settings.name,
        "role": settings.role,
        "identity_key": public.identity.hex(),
        "certificate_key": public.certificate_key.hex(),
        "legal_basis": settings.legal_basis,
        "contact": settings.contact,
    }
    emit(data, as_json, lambda: facts([(name.replace("_", " "), value) for name, value in data.items()]))


@app.command()
def peer(
    *,
    agency: Annotated[str, typer.Argument(help="The other agency's id.")],
    address: Annotated[str, typer.Argument(help="HOST:PORT of its node.")],
    home: HomeOption = DEFAULT_HOME,
    server_name: Annotated[
        str,
        typer.Option(help="Name to look for in its certificate, when it is not AGENCY.agency.blindmatch."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Note where another agency's node listens: adds an entry to node.toml.

    For example:

        blindmatch node peer north-council 192.0.2.10:7443 --home west
    """
    add_peer(home / FILE_NAME, agency, address, server_name)
    data = {"agency": agency, "address": address, "server_name": server_name}
    emit(data, as_json, lambda: typer.echo(f"{agency} at {address}"))
