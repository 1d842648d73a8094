"""Nothing leaves a node but what the agreement declares: held over recorded rounds between real nodes.

Looked at: every message in both directions, the server's log, metrics, both audit logs and the errors of refused calls.
Looked for: every name, date, postcode, company number and reference, in the forms that files and code use; every
unkeyed hash of one, of its level digests, tokens and elements; and the elements' own points before blinding.
"""

import dataclasses
import hashlib
import io
import itertools
import json

import grpc
import numpy as np
import pytest
from prometheus_client import generate_latest
from tests.support.hits_sessions import Edge

from blindmatch.node.imports import open_collection
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.inputs import compile_edge
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage import logs
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol import oprf
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage import Elements
from blindmatch.protocol.linkage.compiled_keys import KEY_ID_BYTES

SMALL = Limits(chunk_elements=32)
TOKENS = 8
POLICE, COUNCIL = "west-force", "north-council"
NAMES = ("Peregrine", "Theodosia", "Fitzwilliam", "Clementine", "Archibald", "Philippa")
HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512, hashlib.sha3_256, hashlib.blake2b)


def person(number):
    """Names, dates and numbers that random bytes do not contain by chance."""
    surname = (
        "".join("bcdfghklmnprstvw"[(number >> shift) & 15] + "aeio"[shift % 3] for shift in (0, 4, 8))
        + "worth"
    )
    born = f"{1950 + number % 40}-{1 + number % 12:02d}-{1 + number % 28:02d}"
    postcode = f"AB{10 + number % 80} {1 + number % 9}GH"
    return NAMES[number % 6], surname.title(), born, postcode, f"{71_000_000 + number * 37:08d}"


def subject(number):
    forename, surname, born, postcode, _ = person(number)
    return [f"NOMINAL-{number:05d}", forename, surname, born, postcode, "P"]


def supplier(number):
    return [f"SUPPLIER-{number:05d}", *person(number), "125000"]


def spellings(row):
    """The forms in which a row's values might slip out."""
    reference, forename, surname, born, postcode, *rest = row
    year, month, day = born.split("-")
    yield from (reference, forename, surname, born, postcode, *(value for value in rest if len(value) > 6))
    yield from (
        f"{day}/{month}/{year}",
        f"{year}{month}{day}",
        f"{forename} {surname}",
        f"{forename}{surname}",
    )
    yield from (postcode.replace(" ", ""), f"{surname}, {forename}")


def short_spellings(row):
    """Too short to look for in random bytes, but their hashes are not."""
    year, month, _ = row[3].split("-")
    yield from (
        f"{year}-{month}",
        f"{year}{month}",
        f"{month}/{year}",
        row[4].split()[0],
        row[4].replace(" ", "")[-3:],
    )


def forms(text):
    return {text.encode(), text.lower().encode(), text.upper().encode()}


class Evidence:
    """Everything that left a node, and everything that must not be in it."""

    def __init__(self, rows):
        self.texts = {form.lower() for row in rows for text in spellings(row) for form in forms(text)}
        self.hashed = {
            form
            for row in rows
            for text in itertools.chain(spellings(row), short_spellings(row))
            for form in forms(text)
        }
        self.prefixes = set()
        for value in self.hashed:
            self.add_hashes_of(value)

    def add_hashes_of(self, value):
        for algorithm in HASHES:
            self.add(algorithm(value).digest())
        for size in (16, 20, 32):
            self.add(hashlib.blake2b(value, digest_size=size).digest())

    def add(self, digest):
        self.prefixes.add(digest[:8])

    def add_collection(self, node, name, compiled):
        """The level digests that the node keeps, the tokens, the element inputs, their hashes and their points."""
        collection = open_collection(node, name)
        filler = bytes(TOKENS * collection.records * 64)
        made = collection.tokens(
            compiled, collection.select(("P", "C")), TOKENS, lambda count: filler[:count], distinct=False
        )
        real = np.flatnonzero(made.key_index != 255)
        elements = Elements(compiled, made).take(real)
        for block in collection.blocks():
            for digest in block.columns.reshape(-1, 16):
                if digest.any():
                    self.add(digest.tobytes())
                    self.add_hashes_of(digest.tobytes())
        for token in made.tokens[real]:
            self.add(token.tobytes())
            self.add_hashes_of(token.tobytes())
        for element in elements:
            self.add_hashes_of(element.tobytes())
        for mode in oprf.Mode:
            for point in oprf.hash_to_group(elements, mode):
                self.add(point.tobytes())
        assert len(real) > collection.records
        assert KEY_ID_BYTES == 16

    def found_in(self, data):
        """What of it stands in `data`, as text, as raw digests or as hexadecimal digests."""
        lowered = data.lower()
        found = [text for text in self.texts if text in lowered]
        found += [data[at : at + 8] for at in range(len(data) - 7) if data[at : at + 8] in self.prefixes]
        text = lowered.decode("latin-1")
        for run in (
            "".join(g)
            for hexadecimal, g in itertools.groupby(text, "0123456789abcdef".__contains__)
            if hexadecimal
        ):
            found += [
                run[at : at + 16]
                for at in range(len(run) - 15)
                if bytes.fromhex(run[at : at + 16]) in self.prefixes
            ]
        return found


@pytest.mark.parametrize(
    "slip",
    [
        b"NOMINAL-00003",
        b"clementine",
        b"1953-04-04",
        b"04/04/1953",
        b"AB134GH",
        hashlib.sha256(b"Clementine").digest(),
        hashlib.sha1(b"1953-04").digest(),
        hashlib.blake2b(b"ab13", digest_size=16).digest(),
        hashlib.md5(b"AB13").hexdigest().encode(),
        hashlib.sha512(b"1953-04-04").hexdigest()[:20].upper().encode(),
    ],
    ids=range(10),
)
def test_the_search_finds_what_it_is_for(slip):
    assert Evidence([subject(3)]).found_in(b"\x00\x07 before " + slip + b" after")


def test_the_search_finds_nothing_in_noise():
    noise = b"".join(hashlib.sha512(number.to_bytes(4)).digest() for number in range(2_000))
    assert not Evidence([subject(number) for number in range(50)]).found_in(noise + noise.hex().encode())


async def record(town, held, name):
    """Run one round with everything recorded; what each side said, by kind."""
    police, council = town.nodes[POLICE], town.nodes[COUNCIL]
    police.wire, council.wire = (
        WireRecorder(town.folder / f"{name}-p"),
        WireRecorder(town.folder / f"{name}-c"),
    )
    said = io.StringIO()
    logs.configure(level="debug", form="json", stream=said)
    async with running(council, limits=SMALL) as serving:
        outcome = await run_round(police, held.id, limits=SMALL)
        assert outcome.complete
        async with town.channel(POLICE, COUNCIL) as channel:
            call = channel.unary_stream("/blindmatch.v1.Match/Open")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                async for _ in call(match_pb2.OpenRequest().SerializeToString()):
                    pass
        metrics = generate_latest(serving.metrics.registry)
    kinds = {
        "messages": b"".join(path.read_bytes() for path in sorted((town.folder / f"{name}-p").glob("*.bin"))),
        "index": (town.folder / f"{name}-p" / "index.jsonl").read_bytes(),
        "log": said.getvalue().encode(),
        "metrics": metrics,
        "errors": str(refused.value).encode(),
    }
    for node in (police, council):
        rows = [dataclasses.asdict(row) for row in node.store.audit_rows()]
        kinds[f"audit of {node.agency}"] = json.dumps(rows, default=lambda value: value.hex()).encode()
    return outcome, kinds


@pytest.mark.parametrize("verified", [False, True])
async def test_nothing_of_a_record_is_in_anything_that_a_round_leaves(town, verified):
    ours, theirs = [subject(n) for n in range(40)], [supplier(n) for n in range(20, 60)]
    town.import_rows(POLICE, "people", "subjects", ours)
    town.import_rows(COUNCIL, "firms", "suppliers", theirs, facts=["contract_value"])
    town.nodes[POLICE].store.delete_collection(open_collection(town.nodes[POLICE], "groups").id)
    town.nodes[COUNCIL].store.delete_collection(open_collection(town.nodes[COUNCIL], "suppliers").id)
    agreement = town.agreement(POLICE, COUNCIL, facts=["contract_value"])
    edges = tuple(
        dataclasses.replace(edge, terms=dataclasses.replace(edge.terms, verified=verified))
        for edge in agreement.edges
    )
    held = town.sign_agreement(dataclasses.replace(agreement, edges=edges))
    evidence = Evidence(ours + theirs)
    outcome, kinds = await record(town, held, "round")
    (row,) = town.nodes[POLICE].store.edges(outcome.round_id)
    row = town.nodes[POLICE].store.edge(row.round_id, row.edge)
    compiled = compile_edge(held.agreement, row).compiled
    evidence.add_collection(town.nodes[POLICE], "people", compiled)
    evidence.add_collection(town.nodes[COUNCIL], "firms", compiled)
    assert len(round_leads.load(town.nodes[POLICE], outcome.round_id)) == 20
    assert len(kinds["messages"]) > 40 * TOKENS * (32 + 32 + 16)
    assert len(kinds["log"]) > 100
    for kind, data in kinds.items():
        assert evidence.found_in(data) == [], kind


def points_and_tags(folder):
    """Every 32-byte point and every 16-byte tag that a recording holds."""
    points, tags = set(), set()
    for line in (folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        data = (folder / entry["file"]).read_bytes()
        kind = entry["type"].rpartition(".")[2]
        if kind in {"BlindedChunk", "EvaluatedChunk"}:
            chunk = getattr(match_pb2, kind).FromString(data).points
            points |= {chunk[at : at + 32] for at in range(0, len(chunk), 32)}
        elif kind == "TagChunk":
            rows = match_pb2.TagChunk.FromString(data).rows
            tags |= {rows[at : at + 16] for at in range(0, len(rows), 16)}
    return points, tags


async def test_two_rounds_over_the_same_data_share_nothing(town):
    held = town.sign_agreement(town.agreement(POLICE, COUNCIL))
    first, _ = await record(town, held, "first")
    second, _ = await record(town, held, "second")
    leads = [
        {lead.reference for lead in round_leads.load(town.nodes[POLICE], outcome.round_id)}
        for outcome in (first, second)
    ]
    assert leads[0] == leads[1] != set()
    (points, tags), (more_points, more_tags) = (
        points_and_tags(town.folder / f"{n}-p") for n in ("first", "second")
    )
    assert len(points) == len(more_points) == 2 * 10 * TOKENS
    assert len(tags) == len(more_tags) == 10 * TOKENS
    assert not points & more_points
    assert not tags & more_tags


@pytest.mark.parametrize("facts", [None, range(24)])
@pytest.mark.parametrize("verified", [False, True])
def test_what_the_sender_says_is_the_same_bytes_whichever_of_its_rows_match(facts, verified):
    """One sender with one seed, before receivers that hold all, some or none of its rows."""
    worlds = [range(24), range(100, 124), range(12, 36)]
    said = []
    for ours in worlds:
        receiver, sender = Edge.of(ours, range(24), facts=facts, verified=verified).exchanging()
        commitment = sender.commit()
        evaluated = [sender.evaluate(receiver.blinded_chunk(i)) for i in range(receiver.chunks)]
        rows = [sender.tag_chunk(i).rows.tobytes() for i in range(sender.tag_chunks)]
        snapshot = sender.snapshot()
        said.append((commitment, rows, [chunk.points.shape for chunk in evaluated], len(snapshot)))
    assert said[0] == said[1] == said[2]


def test_the_receiver_s_bytes_do_not_depend_on_its_records_but_through_blinds():
    """Every blinded element is uniform on its own: equal records give unrelated elements, in an unrelated order."""
    receiver, _ = Edge.of([7] * 24, range(4)).exchanging()
    blinded = np.concatenate([receiver.blinded_chunk(i).points for i in range(receiver.chunks)])
    assert len({row.tobytes() for row in blinded}) == len(blinded) == 24
