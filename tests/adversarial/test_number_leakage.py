"""A count or a sum tells what the agreement's words say and nothing else: worlds that they call the same look the same.

First in memory, over every byte of both sides, then between real nodes: messages, logs, audit logs, metrics and stores.
"""

import dataclasses
import io
import json
import re
import time
from collections import Counter

import numpy as np
import pytest
from prometheus_client import generate_latest
from tests.support.aggregate_sessions import AggregateEdge
from tests.support.hits_sessions import COUNCIL
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage import logs
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.protocol import oprf
from blindmatch.protocol.aggregate.masks import derive_tags
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure, describe
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage import Rates, load_schema, measure

SCHEMA = "uk-person-company-2"
SMALL = Limits(chunk_elements=256)
WEST, NORTH = "west-force", "north-council"


def shape(pair):
    """Everything that travelled, by who, what and how much."""
    return [(each.sender, each.kind, each.index, len(each.content())) for each in pair.sent]


def outcome(pair, edge):
    said = AggregateOutcome.check(
        pair.receiver.session._stored_outcome(), COUNCIL.public, edge.context, edge.number, most=99
    )
    return said.disclosed, said.band


def rows_of(pair, kind, width):
    content = b"".join(each.content() for each in pair.sent if each.kind == kind)
    return [content[at : at + width] for at in range(0, len(content), width)]


def count_worlds(matches, *, first=0, minimum=5, band=10):
    """30 records against 40 elements, `matches` of which agree; `first` says whose names these are."""
    ours = [[first + 3 * n, first + 3 * n + 1] for n in range(30)]
    theirs = [*(first + 3 * n for n in range(matches)), *range(5_000, 5_040 - matches)]
    return AggregateEdge.count(ours, theirs, minimum=minimum, band=band, chunk=16)


def sum_worlds(matches, *, first=0, minimum=5, values=None):
    """20 elements against 25 entries of two tokens, `matches` of which agree, to one total."""
    entries = [[first + n, first + 1_000 + n] for n in range(25)]
    ours = [*(first + n for n in range(matches)), *range(9_000, 9_020 - matches)]
    return AggregateEdge.sum(ours, entries, values or [1] * 25, minimum=minimum, chunk=32)


RECEIVERS = {
    "counts within a band": [count_worlds(10), count_worlds(14, first=200), count_worlds(19, first=700)],
    "counts below the minimum": [count_worlds(0), count_worlds(1, first=200), count_worlds(4, first=700)],
    "sums of one total": [
        sum_worlds(6, values=[10, 0, 0, 0, 0, 0] + [7] * 19),
        sum_worlds(8, first=300, values=[1, 2, 3, 4, 0, 0, 0, 0] + [99] * 17),
        sum_worlds(20, first=600, values=[0] * 19 + [10] + [5] * 5),
    ],
    "sums below the minimum": [sum_worlds(0), sum_worlds(1, first=300), sum_worlds(4, first=600)],
}


@pytest.mark.parametrize("worlds", RECEIVERS.values(), ids=RECEIVERS)
def test_the_receiver_cannot_tell_worlds_apart_that_the_words_call_the_same(worlds):
    seen = []
    for edge in worlds:
        pair = edge.connect()
        told = pair.run()
        said = getattr(told, "total", told)
        sizes = {name: array.shape for name, array in pair.receiver.session._workspace._arrays.items()}
        seen.append((shape(pair), outcome(pair, edge), said, sizes, len(pair.receiver.stored)))
        # All else that came is points and one ciphertext each, none of them twice.
        returned = rows_of(pair, "returned", 32)
        assert len(set(returned)) == len(returned)
    assert all(each == seen[0] for each in seen[1:])


@pytest.mark.parametrize("worlds", RECEIVERS.values(), ids=RECEIVERS)
def test_what_came_looks_random(worlds):
    """Bits of points, ciphertexts and the outcome's halves: as often set as not, whatever matches."""
    for edge in worlds:
        pair = edge.connect()
        pair.run()
        rows = np.frombuffer(b"".join(rows_of(pair, "returned", 32)), dtype=np.uint8).reshape(-1, 32)
        bits = np.unpackbits(rows[:, :31], axis=1)[:, 1:]  # encodings are even and below 2^255
        bits = np.delete(bits, 6, axis=1)
        spread = 6 * np.sqrt(bits.size) / 2
        assert abs(int(bits.sum()) - bits.size / 2) < spread


@pytest.mark.parametrize("name", ["counts below the minimum", "sums below the minimum", "sums of one total"])
def test_the_sender_does_the_same_work_whatever_matches(name, monkeypatch):
    """Counted in rows of curve operations, from the last masked tag to the outcome: the receiver can time nothing."""
    from blindmatch.protocol import group  # noqa: PLC0415 - only here

    work = []
    for function in ("add", "multiply", "multiply_each", "multiply_base", "from_uniform", "check"):
        true = getattr(group, function)

        def counting(rows, *more, true=true, function=function):
            work[-1][function] += len(rows)
            return true(rows, *more)

        monkeypatch.setattr(group, function, counting)
    edges = [*RECEIVERS[name], *(RECEIVERS["sums of one total"] if "sums" in name else ())]
    for edge in edges:
        work.append(Counter())
        pair = edge.at(AggregateState.ASKING)
        work.append(Counter())
        pair.sender.session.outcome()
    told = [{k: v for k, v in each.items() if k != "from_uniform"} for each in work[1::2]]
    assert all(each == told[0] for each in told)
    assert ("sums" not in name) or told[0]["add"] > 20


def test_a_withheld_sum_hides_even_from_the_keys():
    """Below the minimum the two halves are random points: no key opens them to a small number."""
    from blindmatch.protocol.aggregate import elgamal  # noqa: PLC0415 - only here
    from blindmatch.protocol.aggregate.discrete_log import logarithm  # noqa: PLC0415

    edge = sum_worlds(3)
    pair = edge.at(AggregateState.INFORMED)
    said = AggregateOutcome.check(
        pair.receiver.session.outcome(), COUNCIL.public, edge.context, edge.number, most=99
    )
    point = elgamal.finish_opening(said.left, said.right, pair.receiver.session._half.secret)
    assert logarithm(point, 1 << 20) is None


def test_equal_tokens_of_the_sender_do_not_look_equal_to_the_receiver():
    """Entries that share a token, and entries that share none, are points that never repeat, of one shape."""
    shared = AggregateEdge.sum([1, 2, 3], [[50, n] for n in range(4)] + [[51, 60]], [1] * 5, minimum=3)
    apart = AggregateEdge.sum(
        [1, 2, 3], [[70, 50], [80, 50], [90, 50], [91, 50], [92, 60]], [1] * 5, minimum=3
    )
    seen = []
    for edge in (shared, apart):
        pair = edge.connect()
        pair.run()
        rows = rows_of(pair, "returned", 32)
        assert len(set(rows)) == len(rows)
        seen.append(shape(pair))
    assert seen[0] == seen[1]


# What the sender sees.


def structure(pair, edge):
    """What the sender's node can know of matches: how many keys agree in each group, as a multiset."""
    sender = pair.sender.session
    if edge.context.disclosure is Disclosure.COUNT:
        places, _ = lookup.find(sender._array("tags"), sender._array("masked"))
        size = sender._at.peer_group
    else:
        places, _ = lookup.find(sender._array("masked_tags"), sender._array("table"))
        size = edge.theirs.group
    return sorted(Counter((places // size).tolist()).values()), places


SENDERS = {
    "count": [
        AggregateEdge.count([[1, 2], [2, 3], [4, 5], [6, 7]], [2, 4, 5, 9], minimum=1),
        AggregateEdge.count([[6, 7], [11, 13], [24, 25], [21, 11]], [11, 24, 25, 19], minimum=1),
    ],
    "sum": [
        AggregateEdge.sum([1, 2, 3, 9], [[1, 5], [2, 3], [6, 7], [8, 5]], [1, 2, 3, 4], minimum=1),
        AggregateEdge.sum([8, 6, 7, 10], [[1, 5], [2, 3], [6, 7], [8, 5]], [1, 2, 3, 4], minimum=1),
    ],
}


@pytest.mark.parametrize("worlds", SENDERS.values(), ids=SENDERS)
def test_the_sender_sees_the_same_of_other_people_who_match_alike(worlds):
    seen = []
    for edge in worlds:
        pair = edge.connect()
        pair.run()
        for kind in ("points", "masked"):
            width = 32 if kind == "points" else 16
            rows = rows_of(pair, kind, width)
            assert len(set(rows)) == len(rows)
        seen.append((shape(pair), structure(pair, edge)[0]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("edge", [SENDERS["count"][0], SENDERS["sum"][0]], ids=["count", "sum"])
def test_nothing_that_either_side_can_compute_alone_travels(edge):
    """Points before the other's blind, and their tags: with one of these a side could test guesses."""
    pair = edge.connect()
    pair.run()
    elements = np.concatenate([edge.ours.elements.rows, edge.theirs.elements.rows])
    bare = oprf.hash_to_group(elements, oprf.Mode.OPRF)
    keys = [pair.sender.session, pair.receiver.session]
    assert not any(secret.any() for session in keys for secret in session._secrets)
    sides = edge.sender(), edge.receiver()
    scalars = [*np.atleast_2d(sides[0]._secrets[0]), *np.atleast_2d(sides[1]._secrets[0])]
    known = {row.tobytes() for row in bare} | {row.tobytes() for row in derive_tags(bare, edge.context)}
    from blindmatch.protocol import group  # noqa: PLC0415 - only here

    for scalar in scalars:
        known |= {row.tobytes() for row in derive_tags(group.multiply(bare, scalar.copy()), edge.context)}
    travelled = set(rows_of(pair, "masked", 16)) | set(rows_of(pair, "returned", 32))
    assert not known & travelled


@pytest.mark.parametrize("name", ["count", "sum"])
def test_where_a_match_stands_says_nothing(name):
    """One group matches, by one token: over many seeds, each place is as likely as every other."""
    if name == "count":
        edge = AggregateEdge.count([[10 * n, 10 * n + 1] for n in range(4)], [10, 99], minimum=1, chunk=64)
    else:
        edge = AggregateEdge.sum(
            [10, 99], [[10 * n, 10 * n + 1] for n in range(4)], [1] * 4, minimum=1, chunk=64
        )
    rounds, seen = 240, Counter()
    for number in range(rounds):
        seeded = dataclasses.replace(edge, receiver_seed=number.to_bytes(32, "big"))
        pair = seeded.at(AggregateState.ASKING)
        pair.sender.session.outcome()
        (place,) = structure(pair, seeded)[1].tolist()
        seen[place] += 1
    expected = rounds / 8
    assert len(seen) == 8
    # Chi-squared with 7 degrees of freedom: 29.9 is exceeded once in ten thousand; the seeds are fixed.
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < 29.9


# Between real nodes.


@pytest.fixture
def rates(monkeypatch):
    """Rates are declared, and the same in every world here."""
    schema = load_schema(SCHEMA)
    told = measure(schema, (), seed=bytes(32))
    told = Rates((64,) * len(told.presence), told.alone, told.household)
    monkeypatch.setattr("blindmatch.node.rounds.inputs.own_rates", lambda *_: told)


class World:
    """One police list of 40, one council list of 50; `matches` of each are the same people."""

    def __init__(self, folder, disclosure, matches, first, values=()):
        folder.mkdir()
        self.town = LocalNodes(folder, {WEST: "police", NORTH: "council"}, time.time())
        self.town.import_rows(WEST, "groups", "subjects", subjects(40, first=first))
        rows = people(50, first=first + 40 - matches)
        for row in rows:
            row[6] = "5"
        for place, value in enumerate(values):
            rows[place][6] = value
        self.town.import_rows(NORTH, "suppliers", "suppliers", rows, facts=["contract_value"])
        value = "contract_value" if disclosure is Disclosure.SUM else ""
        agreement = self.town.agreement(WEST, NORTH, disclosure=disclosure, value=value)
        band = 10 if disclosure is Disclosure.COUNT else 1
        edges = tuple(
            describe(
                dataclasses.replace(edge, terms=dataclasses.replace(edge.terms, band=band)), self.town.schema
            )
            for edge in agreement.edges
        )
        self.held = self.town.sign_agreement(dataclasses.replace(agreement, edges=edges))

    async def run(self):
        """One recorded round: what either side kept, said and sent, without what is random or a time."""
        police, council = self.town.nodes[WEST], self.town.nodes[NORTH]
        police.wire, council.wire = (
            WireRecorder(self.town.folder / f"wire-{node.agency}") for node in (police, council)
        )
        heard = io.StringIO()
        logs.configure(level="debug", form="json", stream=heard)
        async with running(council, limits=SMALL) as serving:
            done = await run_round(police, self.held.id, limits=SMALL)
            metrics = generate_latest(serving.metrics.registry).decode()
        assert done.complete
        (found,) = aggregate_results.load(police, done.round_id)
        seen = {
            "wire": self._wire(WEST),
            "wire of the sender": self._wire(NORTH),
            "log": [_blurred(line) for line in heard.getvalue().splitlines()],
            "metrics": [
                line
                for line in metrics.splitlines()
                # Progress is reported by the clock.
                if not any(
                    word in line
                    for word in ("seconds", "created", 'sent_bytes_total{method="/blindmatch.v1.Match/Open')
                )
            ],
            "store": len(police.store.numbers()[0].payload),
        }
        for node in (police, council):
            rows = [
                (row.event, _blurred(row.subject), row.recipient, _blurred(row.detail))
                for row in node.store.audit_rows()
                if "round" in row.subject
            ]
            edge = node.store.edge(done.round_id, self.held.agreement.edges[0].id)
            seen[f"audit of {node.agency}"] = rows
            seen[f"edge of {node.agency}"] = (edge.state, edge.done, edge.total, len(edge.receipt))
        self.town.close()
        return found.text, seen

    def _wire(self, agency):
        lines = (self.town.folder / f"wire-{agency}" / "index.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        # Progress comes by the clock; acknowledgements and chunks of a stream may overtake each other.
        return Counter(
            (each["direction"], each["type"], each["bytes"])
            for each in entries
            if not each["type"].endswith("OpenReply")
        )


def _blurred(text):
    """A line without ids, times, ports and what else is random."""
    text = re.sub(r"[0-9a-f]{16,}", "#", text)
    text = re.sub(r'"(timestamp|time|port|address)": ?("[^"]*"|[0-9.]+)', "", text)
    return re.sub(r"127\.0\.0\.1:\d+", "", text)


NODES = {
    "counts within a band": (Disclosure.COUNT, [(12, 0, ()), (17, 300, ())], "between 10 and 19"),
    "counts below the minimum": (Disclosure.COUNT, [(0, 0, ()), (4, 300, ())], "withheld: fewer than 5"),
    "sums of one total": (
        Disclosure.SUM,
        [(6, 0, ("30", *["0"] * 5)), (9, 300, ("0", "12", "18", *["0"] * 6))],
        "30 over an unknown number of suppliers",
    ),
    "sums below the minimum": (
        Disclosure.SUM,
        [(0, 0, ()), (4, 300, ("900", "900"))],
        "withheld: fewer than 5",
    ),
}


@pytest.mark.parametrize("name", NODES)
async def test_two_worlds_that_the_words_call_the_same_look_the_same(tmp_path, rates, name):
    """Different people, different matches, one thing to tell: both nodes look the same from outside, and the receiver's inside."""
    disclosure, worlds, words = NODES[name]
    seen = []
    for number, (matches, first, values) in enumerate(worlds):
        told, kinds = await World(tmp_path / str(number), disclosure, matches, first, values).run()
        assert told == words
        seen.append(kinds)
    for kind in seen[0]:
        assert seen[0][kind] == seen[1][kind], kind
    assert len(seen[0]["log"]) > 2
    assert sum(seen[0]["wire"].values()) >= 10
