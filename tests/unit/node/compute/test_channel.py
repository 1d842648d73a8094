"""What passes between a node and a worker of a cluster: sealed, bound, and the same steps at the other end."""

import pickle

import numpy as np
import pytest
from tests.support.hits_sessions import Edge

from blindmatch.node.compute.channel import Handshake, shapes_of
from blindmatch.node.compute.engine import LocalEngine, describe, open_engine
from blindmatch.node.compute.worker import STEPS, Request, Worker, bound
from blindmatch.node.storage.config import make_settings
from blindmatch.protocol import group, hashing
from blindmatch.protocol.errors import ConfigError, LocalError, PeerCode
from blindmatch.protocol.hits.computing import LocalComputing

SEED = bytes(range(32))
CONTEXT = Edge.of([1], [1]).context
NODE = {"agency": "west-force", "name": "West Force", "role": "police"}


@pytest.fixture
def pair():
    node, worker = Handshake(), Handshake()
    return node.node_side(worker.public), worker.worker_side(node.public)


@pytest.fixture
def worker():
    yield Worker()
    group.use_threads(None)
    hashing.use_threads(None)


def rows(count, width=40):
    return np.arange(count * width, dtype=np.uint8).reshape(count, width)


def test_both_ends_open_what_the_other_sealed(pair):
    node, worker = pair
    parts = [rows(3), rows(0), rows(2, 7)]
    secret, opened = worker.open(node.seal(SEED, parts, b"x"), shapes_of(parts), b"x", secret_bytes=32)
    assert secret == SEED
    assert all(np.array_equal(one, other) for one, other in zip(parts, opened, strict=True))
    assert node.open(worker.seal(b"", parts, b"x"), shapes_of(parts), b"x")[0] == b""


@pytest.mark.parametrize("wrong", ["byte", "bound", "shapes", "reflected", "other", "short"])
def test_anything_altered_does_not_open(pair, wrong):
    node, worker = pair
    parts = [rows(2, 6)]
    sealed, shapes, what, opens = bytearray(node.seal(b"", parts, b"x")), shapes_of(parts), b"x", worker
    if wrong == "byte":
        sealed[-20] ^= 1
    elif wrong == "bound":
        what = b"y"
    elif wrong == "shapes":
        shapes = ((3, 4),)
    elif wrong == "reflected":
        opens = node
    elif wrong == "other":
        opens = Handshake().worker_side(Handshake().public)
    else:
        del sealed[8:]
    with pytest.raises(LocalError, match="does not open"):
        opens.open(bytes(sealed), shapes, what)


def test_equal_batches_do_not_look_equal(pair):
    assert pair[0].seal(SEED, [rows(2)], b"x") != pair[0].seal(SEED, [rows(2)], b"x")


def test_no_secret_and_no_input_stands_in_what_is_sent_or_shown(worker):
    handshake = Handshake()
    channel = handshake.node_side(worker.greet(handshake.public).public)
    inputs = rows(3)
    sealed = channel.seal(SEED, [inputs], bound(CONTEXT, "blind", 0))
    request = Request(CONTEXT, "blind", 0, shapes_of([inputs]), sealed)
    answer = worker.compute(request)
    made = LocalComputing(SEED, CONTEXT).blind(0, inputs)
    assert np.array_equal(channel.open(answer.sealed, answer.shapes, request.bound())[1][0], made)
    seen = pickle.dumps(request) + pickle.dumps(answer) + repr((handshake, channel, worker)).encode()
    for secret in (SEED, inputs[0].tobytes(), made[0].tobytes()):
        assert secret not in seen
        assert secret.hex().encode() not in seen


def test_a_worker_answers_nobody_it_has_not_greeted(worker):
    with pytest.raises(RuntimeError, match="blind failed: RuntimeError"):
        worker.compute(Request(CONTEXT, "blind", 0, (), b""))


def test_the_text_of_an_unforeseen_error_stays_in_the_worker(worker, monkeypatch):
    handshake = Handshake()
    channel = handshake.node_side(worker.greet(handshake.public).public)

    def fails(*_):
        raise ValueError("Mary Smith")

    monkeypatch.setitem(STEPS, "blind", fails)
    sealed = channel.seal(SEED, [], bound(CONTEXT, "blind", 0))
    with pytest.raises(RuntimeError) as caught:
        worker.compute(Request(CONTEXT, "blind", 0, (), sealed))
    assert "Mary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_peers_fault_comes_back_as_one(worker):
    handshake = Handshake()
    channel = handshake.node_side(worker.greet(handshake.public).public)
    bad = np.full((2, 32), 255, dtype=np.uint8)
    sealed = channel.seal(SEED, [bad], bound(CONTEXT, "evaluate", 0))
    error = worker.compute(Request(CONTEXT, "evaluate", 0, shapes_of([bad]), sealed)).error()
    assert error.code is PeerCode.BAD_POINT
    assert "blinded element 0" in error.message


def test_the_settings_choose_the_engine(monkeypatch):
    assert isinstance(open_engine(make_settings(NODE)), LocalEngine)
    assert describe(make_settings(NODE)) == "local"
    settings = make_settings(
        {**NODE, "engine": "ray", "cluster": {"address": "ray://head:10001", "workers": 3}}
    )
    monkeypatch.setattr("blindmatch.node.compute.engine.find_spec", lambda _name: None)
    assert describe(settings).startswith("ray, ray://head:10001, 3 workers - NOT INSTALLED")
    with pytest.raises(ConfigError, match="not installed"):
        open_engine(settings)
    monkeypatch.undo()


@pytest.mark.parametrize("address", ["ray://head", "head", "http://head:1", "ray://:1"])
def test_a_cluster_has_a_host_and_a_port(address):
    with pytest.raises(ConfigError, match="address"):
        make_settings({**NODE, "cluster": {"address": address}})
