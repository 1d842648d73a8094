"""Heavy steps on a real Ray cluster of two workers: the same bytes as here, also when workers are killed."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.hits_sessions import Edge

from blindmatch.node.compute import cluster
from blindmatch.node.compute.cluster import RayEngine
from blindmatch.node.compute.connection import connected, load_ray
from blindmatch.node.compute.engine import open_engine
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.config import Cluster, load_settings
from blindmatch.protocol.errors import ConfigError, LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.computing import LocalComputing
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.simulations.benchmarks import scale
from blindmatch.simulations.report import write_summary
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario.scenario import load_scenario

SEED = bytes(range(32))
EXPECTED = {f"P-{index:05d}" for index in range(20, 40)}


@pytest.fixture(scope="module")
def ray_address():
    with connected(workers=2) as address:
        yield address


@pytest.fixture(scope="module")
def engine(ray_address):
    made = RayEngine(Cluster(workers=2))
    made.start()
    yield made
    made.close()


def kill(engine):
    """One of its workers, as a machine's memory guard would."""
    process = engine.workers[0].process
    os.kill(process, signal.SIGKILL)
    return process


def elements(count, width=86):
    return np.random.default_rng(1).integers(0, 256, (count, width), dtype=np.uint8)


def test_the_cluster_listens_to_this_machine_only(ray_address, engine):
    assert ray_address.startswith("127.0.0.1:")
    assert len({worker.process for worker in engine.workers}) == 2
    assert os.getpid() not in {worker.process for worker in engine.workers}


@pytest.mark.parametrize("verified", [False, True])
def test_every_step_gives_the_same_bytes(engine, verified):
    context = Edge.of([1], [1], facts=[1], verified=verified).context
    here, there = LocalComputing(SEED, context), engine.computing(SEED, context)
    inputs, facts = elements(50), elements(50, 24)
    blinded = here.blind(3, inputs)
    assert np.array_equal(there.blind(3, inputs), blinded)
    evaluated, proof = here.evaluate(3, blinded)
    for ahead in (False, True):
        if ahead:
            there.evaluate_ahead(3, blinded)
        points, again = there.evaluate(3, blinded)
        assert np.array_equal(points, evaluated)
        assert again == proof
    assert np.array_equal(there.tags(3, inputs, evaluated), here.tags(3, inputs, evaluated))
    assert np.array_equal(there.rows(inputs, facts), here.rows(inputs, facts))
    if verified:
        public = cluster_public(context)
        there.verify(public, blinded, evaluated, proof)
        with pytest.raises(PeerError) as caught:
            there.verify(public, blinded, evaluated[::-1].copy(), proof)
        assert caught.value.code is PeerCode.BAD_PROOF


def cluster_public(context):
    from blindmatch.protocol.expand import Expander  # noqa: PLC0415
    from blindmatch.protocol.hits.computing import sender_key  # noqa: PLC0415

    return sender_key(Expander(SEED), context).public.tobytes()


def test_a_whole_session_commits_to_the_same_bytes(engine):
    edge = Edge.of(range(30), range(20, 50), facts=range(20, 50), verified=True)
    spaces = [Workspace.in_memory() for _ in range(4)]
    local = edge.receiver(spaces[0]), edge.sender(spaces[1])
    edge = replace(edge, computer=engine.computing)
    remote = edge.receiver(spaces[2]), edge.sender(spaces[3])
    for ours, theirs in zip(local, remote, strict=True):
        for index in range(ours.chunks):
            ours.prepare_chunk(index)
            theirs.prepare_chunk(index)
        assert ours.commit() == theirs.commit()
    assert edge.connect().run().elements.tolist() == list(range(20, 30))


def test_bad_points_are_still_the_peers_fault(engine):
    there = engine.computing(SEED, Edge.of([1], [1]).context)
    bad = np.full((2, 32), 255, dtype=np.uint8)
    there.evaluate_ahead(0, bad)
    with pytest.raises(PeerError) as caught:
        there.evaluate(0, bad)
    assert caught.value.code is PeerCode.BAD_POINT


def test_no_log_of_the_cluster_holds_a_seed_or_an_element(engine):
    context = Edge.of([1], [1]).context
    seed, inputs = (
        bytes(range(100, 132)),
        np.frombuffer(b"element of a person " * 10, dtype=np.uint8).reshape(2, 100),
    )
    there = engine.computing(seed, context)
    there.blind(0, inputs)
    with pytest.raises(LocalError, match="blind failed: TypeError"):
        there._end(there._begin("blind", 0, inputs, inputs[:, :0], inputs))
    folder = Path(load_ray()._private.worker._global_node.get_session_dir_path())
    logs = [path for path in folder.rglob("*") if path.is_file()]
    assert any("worker" in path.name for path in logs)
    for path in logs:
        text = path.read_bytes()
        for secret in (seed, inputs[0].tobytes()):
            assert secret not in text, path
            assert secret.hex().encode() not in text, path
            assert repr(secret).encode() not in text, path


def test_a_wiped_edge_computes_nothing_more(engine):
    there = engine.computing(SEED, Edge.of([1], [1]).context)
    there.evaluate_ahead(0, LocalComputing(SEED, Edge.of([1], [1]).context).blind(0, elements(2)))
    there.wipe()
    with pytest.raises(SequenceError, match="wiped"):
        there.blind(0, elements(2))
    assert not any(worker.busy for worker in engine._workers)


def test_chunks_of_a_killed_worker_are_computed_again(engine):
    context = Edge.of([1], [1]).context
    here, there = LocalComputing(SEED, context), engine.computing(SEED, context)
    inputs = elements(3_000)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(there.blind, index, inputs) for index in range(24)]
        made[2].result()
        killed = kill(engine)
        for index, each in enumerate(made):
            assert np.array_equal(each.result(), here.blind(index, inputs))
    assert killed not in {worker.process for worker in engine.workers}
    assert len(engine.workers) == 2
    assert not any(worker.busy for worker in engine._workers)


@pytest.mark.parametrize("during", ["prepare", "exchange"])
async def test_a_round_survives_the_death_of_a_worker(town, ray_address, monkeypatch, during):
    for agency, node in town.nodes.items():
        chosen = {"address": ray_address, "workers": 2 if agency == "west-force" else 1}
        node.settings = node.settings.model_copy(update={"engine": "ray", "cluster": Cluster(**chosen)})
    held = town.sign_agreement(town.agreement("west-force", "north-council", facts=["contract_value"]))
    police, engines, killed = town.nodes["west-force"], [], []

    def opened(settings):
        engines.append(open_engine(settings))
        return engines[-1]

    def watch(_edge, step, done, _total):
        if step == during and not killed and done:
            killed.append(kill(engines[0]))

    monkeypatch.setattr(runner, "open_engine", opened)
    small = Limits(chunk_elements=32)
    async with running(town.nodes["north-council"], limits=small):
        outcome = await run_round(police, held.id, limits=small, progress=watch)
    assert killed
    assert outcome.complete
    assert {lead.reference for lead in round_leads.load(police, outcome.round_id)} == EXPECTED
    assert engines[0].workers == ()


def test_when_every_worker_dies_for_good_the_edge_stops(ray_address, monkeypatch):
    made = RayEngine(Cluster(workers=1))
    there = made.computing(SEED, Edge.of([1], [1]).context)
    monkeypatch.setattr(made, "_hire", lambda _places: [])
    kill(made)
    with pytest.raises(LocalError, match="no worker left"):
        there.blind(0, elements(2))
    made.close()


def test_another_version_on_the_cluster_is_refused(ray_address, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda _name: "9.9")
    with pytest.raises(LocalError, match="has blindmatch"):
        RayEngine(Cluster(workers=1)).start()


def test_one_process_has_one_cluster(ray_address):
    with pytest.raises(ConfigError, match="already"):
        RayEngine(Cluster(address="192.0.2.1:6379")).start()


def test_a_simulation_on_the_cluster_finds_the_same(ray_address, tmp_path):
    found = []
    for options in ({}, {"engine": "ray", "cluster": ray_address}):
        out = tmp_path / f"out-{len(found)}"
        outcome = run(load_scenario("pilot").first(1), Options(out, 3, 0.05, **options))
        found.append(write_summary(out / "summary.json", outcome)["result_sha256"])
        node = load_settings(out / "ashmoor" / "ashmoor-police" / "node.toml")
        assert node.engine == options.get("engine", "local")
    assert found[0] == found[1]


def test_scale_is_measured_and_reckoned(ray_address):
    costs = [scale.measure(300, workers) for workers in (0, 1, 2)]
    assert [cost.workers for cost in costs] == [0, 1, 2]
    for cost in costs:
        assert cost.rate > 0
        assert [step.step for step in cost.steps] == list(scale.STEPS)
    made = scale.report(costs)
    assert len(made.rows) == 3
    assert made.data["runs"][-1]["model"]["core_hours"] > 0
    assert any("formula" in remark for remark in made.remarks)


def test_the_model_multiplies_edges_by_elements():
    model = scale.Model(receivers_cpu=1e-5, senders_cpu=5e-6, efficiency=0.5, handing_cpu=1e-6)
    edge = 1_000 * 72 * 1e-5 + 10_000 * 24 * 5e-6
    assert model.core_hours == pytest.approx(43 * 317 * edge / 3_600)
    assert model.hours(1) == model.core_hours
    assert model.hours(10) == pytest.approx(model.core_hours / 5)
    assert model.most_workers == pytest.approx(14)
