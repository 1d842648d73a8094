"""Data folders that an earlier program left are opened by this one: its commands print the same, its rounds resume, its epoch goes on.

`data/old-nodes.tar.gz` holds three nodes' folders; `make_nodes.py` says what is in them. Every node's clock stands at the time when
they were made, so that nothing expires; only TLS goes by the machine's clock, and its certificates end in 2034.
"""

import asyncio
import json
import re
import tarfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from blindmatch.node.pki import tls

# isort: split
# `tls` goes before gRPC.
from typer.testing import CliRunner

from blindmatch.node.agreements.match_keys import own_rates
from blindmatch.node.cli import app
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.threshold import tally
from blindmatch.node.server import running
from blindmatch.node.storage.config import Peer
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.linkage import rates

ARCHIVE = Path(__file__).parent / "data" / "old-nodes.tar.gz"
PASSPHRASE = "for trials only"
NOW = 1_767_225_600
WEST, NORTH, NATIONAL = "west-force", "north-council", "national"
AS_MADE = Limits(chunk_elements=32)
TEXTS = frozenset({
    "words",
    "hint",
    "problem",
    "reason",
    "number",
    "warnings",
    "why_no_round",
    "compared",
    "receiver_learns",
    "sender_learns",
    "member_learns",
    "collector_learns",
    "both_learn",
    "standing_learn",
})  # fmt: skip
"""Fields whose values are English for people; frozen apart, since they may be reworded."""
OF_THE_MACHINE = frozenset(
    {"days_left", "curve", "hashing", "engine", "seconds", "sent_bytes", "received_bytes"}
)

assert tls.CIPHERS_BELOW_TLS13


@pytest.fixture
def old(tmp_path, monkeypatch):
    """The folders, unpacked, and the ids of what is in them; every node that is opened has their clock."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    made = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    original = Node.open.__func__

    def opened(kind, home, passphrase, **_):
        return original(kind, home, passphrase, clock=lambda: NOW, user="officer-8")

    monkeypatch.setattr(Node, "open", classmethod(opened))
    return SimpleNamespace(folder=tmp_path, **made)


def invoked(old, agency, words):
    """A command's exit status, and what it prints as JSON."""
    environment = {"BLINDMATCH_HOME": str(old.folder / agency), "BLINDMATCH_PASSPHRASE": PASSPHRASE}
    done = CliRunner().invoke(app, [*words, "--json"], env=environment)
    assert done.exit_code in {0, 1}, f"{agency}: {words}: {done.output}"
    return done.exit_code, json.loads(done.stdout)


def command(old, agency, *words):
    """What a command prints that must not fail."""
    status, printed = invoked(old, agency, words)
    assert status == 0, f"{agency}: {words}: {printed}"
    return printed


def parted(value, texts):
    """A value without what depends on the machine; English texts go into a list of their own."""
    if isinstance(value, list):
        return [parted(each, texts) for each in value]
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{200,}", value):
        return bytes.fromhex(value) if len(value) % 2 == 0 else value
    if not isinstance(value, dict):
        return value
    out = {}
    for name, each in value.items():
        if name in OF_THE_MACHINE:
            out[name] = "of the machine"
        elif name in TEXTS:
            out[name] = "a text"
            texts += each if isinstance(each, list) else [each]
        else:
            out[name] = parted(each, texts)
    return out


def freeze(golden, section, printed):
    texts = []
    golden(section, {label: parted(value, texts) for label, value in printed.items()})
    golden(f"{section}: texts", {"texts": list(dict.fromkeys(texts))})


@pytest.mark.parametrize("agency", [WEST, NORTH, NATIONAL])
def test_what_the_commands_print(golden, old, agency):

    def run(*words):
        status, printed = invoked(old, agency, words)
        return {"status": status, "printed": printed}

    printed = {
        " ".join(words): run(*words)
        for words in (
            ("audit", "list"),
            ("audit", "verify"),
            ("node", "status"),
            ("node", "card"),
            ("keys", "list"),
            ("collection", "list"),
            ("agreement", "list"),
            ("round", "status"),
        )
    }
    held = {each["id"] for each in printed["agreement list"]["printed"]}
    for name, agreement in old.agreements.items():
        if agreement in held:
            printed[f"agreement show: {name}"] = run("agreement", "show", agreement)
            printed[f"agreement verify: {name}"] = run("agreement", "verify", agreement)
            printed[f"round status, agreement: {name}"] = run("round", "status", "--agreement", agreement)
    known = {each["round"] for each in printed["round status"]["printed"]}
    for name, round_id in old.rounds.items():
        if round_id in known:
            printed[f"round status: {name}"] = run("round", "status", round_id)
            printed[f"round results: {name}"] = run("round", "results", round_id)
            printed[f"round receipts: {name}"] = run("round", "receipts", round_id)
    if agency == WEST:
        printed["check"] = run("check", old.agreements["standing"], "--received")
    freeze(golden, agency, printed)


@pytest.mark.parametrize("form", ["json", "csv", "ftm"])
def test_exports(golden, old, form):
    files = {}
    for name in ("plain", "delta"):
        out = old.folder / f"{name}.{form}"
        command(old, WEST, "round", "export", old.rounds[name], "--out", str(out))
        files[name] = out.read_text(encoding="utf-8").splitlines()
    golden(f"export: {form}", files)


async def serving(old, servers, limits):
    """All three nodes open, the force and the council serving; the nodes by agency."""
    nodes = {agency: Node.open(old.folder / agency, PASSPHRASE) for agency in (WEST, NORTH, NATIONAL)}
    for node in nodes.values():
        servers.callback(node.close)
    ports = {}
    for agency in (WEST, NORTH):
        server = await servers.enter_async_context(
            running(nodes[agency], listen="127.0.0.1:0", limits=limits)
        )
        ports[agency] = Peer(address=f"127.0.0.1:{server.port}")
    for node in nodes.values():
        node.settings = node.settings.model_copy(update={"peers": {**node.settings.peers, **ports}})
        settings = node.home / "node.toml"  # for the commands
        text = settings.read_text(encoding="utf-8")
        for agency, peer in ports.items():
            text = re.sub(rf'(\[peers\.{agency}\]\naddress = )"[^"]+"', rf'\g<1>"{peer.address}"', text)
        settings.write_text(text, encoding="utf-8")
    return nodes


def learned(node, round_id):
    """What a node holds of a round: leads, numbers, a collector's number."""
    tallies = [tally.load(node, round_id, row.edge) for row in node.store.edges(round_id)]
    return {
        "leads": [
            [lead.reference, lead.agency, list(lead.key_names), lead.score, list(lead.facts), lead.new]
            for lead in round_leads.load(node, round_id)
        ],
        "numbers": [
            [each.told, each.low, each.high, each.total] for each in aggregate_results.load(node, round_id)
        ],
        "collected": [[*vars(tally).values()] for tally in tallies if tally],
        "states": sorted([row.edge, row.role, row.state] for row in node.store.edges(round_id)),
    }


def audited(node, after):
    """The entries after one, in any order, without ids."""
    entries = [
        [row.event, row.subject, row.recipient, row.justification, json.loads(row.detail)]
        for row in node.store.audit_rows(after)
    ]
    plain = (re.sub(r"[0-9a-f]{32,}", "ID", json.dumps(entry)) for entry in entries)
    return sorted(plain)


async def test_interrupted_rounds_resume(golden, old):
    async with AsyncExitStack() as servers:
        nodes = await serving(old, servers, AS_MADE)
        last = {agency: node.store.last_audit().seq for agency, node in nodes.items()}
        for name, hexadecimal in old.rounds.items():
            if not name.startswith("stopped: "):
                continue
            round_id = bytes.fromhex(hexadecimal)
            agency = NATIONAL if name == "stopped: many" else WEST
            (row, *_) = nodes[agency].store.edges(round_id)
            outcome = await run_round(nodes[agency], row.agreement_id, resume_round=round_id, limits=AS_MADE)
            assert outcome.complete, outcome
            golden(f"resumed: {name}", {agency: learned(node, round_id) for agency, node in nodes.items()})
        for agency, node in nodes.items():
            golden(f"resumed: audit of {agency}", {"entries": audited(node, last[agency])})
            assert not list(node.rounds_dir.glob("*/*"))


async def test_new_rounds_under_old_agreements(golden, old):
    """By the command line: a full round of every disclosure, and the next delta round of the old epoch."""
    async with AsyncExitStack() as servers:
        nodes = await serving(old, servers, LIMITS)
        last = {agency: node.store.last_audit().seq for agency, node in nodes.items()}
        for row in nodes[WEST].store.edges(running=True):
            if row.role == "receiver":
                await asyncio.to_thread(command, old, WEST, "round", "abandon", row.round_id.hex())
        ran = {}
        for name, agency in (("plain", WEST), ("standing", WEST), ("many", NATIONAL)):
            words = ("round", "run", old.agreements[name], "--new")
            ran[name] = await asyncio.to_thread(command, old, agency, *words)
            golden(f"new: {name}, learned", {
                agency: learned(node, bytes.fromhex(ran[name]["round"])) for agency, node in nodes.items()
            })  # fmt: skip
            ran[name]["round"] = "ID"
        freeze(golden, "new: printed", ran)
        for agency, node in nodes.items():
            golden(f"new: audit of {agency}", {"entries": audited(node, last[agency])})
            golden(
                f"new: files of {agency}",
                {"files": sorted(laid_out(node.home) - {"node.db-shm", "node.db-wal"})},
            )


def laid_out(folder):
    """The files in a node's folder, without ids; those of rounds come and go."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {re.sub(r"[0-9a-f]{32}", "ID", str(path)) for path in paths if path.parts[0] != "rounds"}


def test_the_rates_of_an_old_collection(golden, old, monkeypatch):
    # So that it depends on the seed which records are compared, and shows.
    monkeypatch.setattr(rates, "SAMPLE", 8)
    monkeypatch.setattr(rates, "PRIOR_PAIRS", 10)
    with Node.open(old.folder / NORTH, PASSPHRASE) as node:
        collection = open_collection(node, "suppliers")
        selected = collection.select(("P", "C"))
        records = [collection.record(int(each)) for each in selected[:3]]
        golden("collection", {
            "rates": own_rates(collection, selected, b"a" * 32).encode(),
            "entities": len(set(collection.entities(selected).tolist())),
            "records": [[each.reference, each.handling, dict(each.facts), dict(each.provenance)] for each in records],
            "columns": next(iter(collection.blocks(selected)))[0],
        })  # fmt: skip
