"""Nodes on a real Ray cluster of two workers: the same result as in one process, and who is named when a node dies."""

import contextlib
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.node.compute.connection import connected
from blindmatch.node.storage.config import load_settings
from blindmatch.protocol.errors import ConfigError, LocalError
from blindmatch.simulations import run as runs
from blindmatch.simulations.drivers.deploy import MARKER_NAME, UNLOCK_FILE, share_folder
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.node_process import reserve_port
from blindmatch.simulations.drivers.ray_nodes import NodeActor, RayMachines
from blindmatch.simulations.drivers.subprocesses import SubprocessArea
from blindmatch.simulations.report import write_summary
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario.scenario import load_scenario

SEED, SCALE = 3, 0.05
AGENCIES = ("ashmoor-police", "ashmoor-city-council")


def one_pair():
    """One area of the pilot, with one council."""
    scenario = load_scenario("pilot").first(1)
    area = scenario.areas[0]
    short = area.model_copy(update={"agencies": area.agencies[:2]})
    return scenario.model_copy(update={"areas": (short,)})


@pytest.fixture(scope="module")
def ray_address():
    with connected(workers=2) as address:
        yield address


def result(out: Path, outcome) -> str:
    return write_summary(out / "summary.json", outcome)["result_sha256"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("inside")
    return result(out, run(one_pair(), Options(out / "out", SEED, SCALE)))


def server_of(home: Path) -> tuple[int, int]:
    """The process that serves a node, and the one that started it."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"serve" in words and str(home).encode() in words:
                return int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    raise AssertionError(f"nobody serves {home}")


def gone(process: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_a_simulation_on_the_cluster_finds_the_same(ray_address, expected, tmp_path):
    out, wire = tmp_path / "out", tmp_path / "wire"
    told: list[str] = []
    options = Options(out, SEED, SCALE, record_wire=wire, on="ray", cluster=ray_address)
    outcome = run(one_pair(), options, note=told.append)
    assert result(out, outcome) == expected
    assert outcome.processes
    assert all(c.traffic.total("sent") > 0 for c in outcome.comparisons)
    for agency in AGENCIES:
        home = out / "ashmoor" / agency
        assert f"{agency}: {home} on 127.0.0.1" in told
        assert load_settings(home / "node.toml").listen.startswith("127.0.0.1:")
        assert (home / "keys.json").exists()
        index = (wire / "ashmoor" / agency / "index.jsonl").read_text().splitlines()
        assert {json.loads(line)["peer"] for line in index} & set(AGENCIES)
        with pytest.raises(AssertionError):
            server_of(home)


@pytest.mark.parametrize("which", ["actor", "server"])
def test_a_node_that_dies_is_named_with_the_reason(ray_address, tmp_path, monkeypatch, which):
    home = tmp_path / "out" / "ashmoor" / "ashmoor-city-council"
    servers: list[int] = []
    agree = SubprocessArea._agree

    def agreed(*given):
        server, actor = server_of(home)
        servers.append(server)
        os.kill(actor if which == "actor" else server, signal.SIGKILL)
        return agree(*given)

    monkeypatch.setattr(SubprocessArea, "_agree", agreed)
    options = Options(tmp_path / "out", SEED, SCALE, on="ray", cluster=ray_address)
    with pytest.raises(LocalError, match=r"^ashmoor-city-council: ") as caught:
        run(one_pair(), options)
    assert ("actor" in caught.value.message) == (which == "actor")
    assert "127.0.0.1" in caught.value.message
    assert any(word in caught.value.message for word in ("connection error", "signal", "-9", "died"))
    # A server outlives neither its actor nor the simulation.
    assert gone(servers[0])
    for agency in AGENCIES:
        with pytest.raises(AssertionError):
            server_of(tmp_path / "out" / "ashmoor" / agency)


def test_a_machine_with_another_version_is_refused(ray_address, tmp_path, monkeypatch):
    monkeypatch.setattr("blindmatch.simulations.drivers.ray_nodes.version", lambda _name: "9.9")
    options = Options(tmp_path / "out", SEED, SCALE, on="ray", cluster=ray_address)
    with pytest.raises(LocalError, match=r"ashmoor-police: 127.0.0.1 of the cluster has blindmatch .*9\.9"):
        run(one_pair(), options)


def test_machines_take_turns(ray_address, tmp_path):
    machines = RayMachines(tmp_path, print)
    assert len(machines) == 1
    assert machines.at_once == 2


class Street:
    """Machines with an address each, which are all this one."""

    at_once = 2

    def __len__(self):
        return 3

    @contextlib.contextmanager
    def nodes(self, setup):
        with contextlib.ExitStack() as stack:
            made = []
            for number, site in enumerate(setup.sites, 2):
                made.append(NodeHandle(site, setup.passphrase, host=f"127.0.0.{number}"))
                stack.callback(made[-1].close)
            yield made


def test_nodes_of_several_addresses_find_each_other(expected, tmp_path, monkeypatch, forked_nodes):
    # A cluster of several machines cannot be had here; a node knows of a machine only its address.
    given = runs._shared

    @contextlib.contextmanager
    def shared(options, passphrase, note):
        with given(options, passphrase, note) as made:
            yield replace(made, machines=Street())

    monkeypatch.setattr(runs, "_shared", shared)
    out = tmp_path / "out"
    assert result(tmp_path, run(one_pair(), Options(out, SEED, SCALE))) == expected
    listening = [load_settings(out / "ashmoor" / agency / "node.toml") for agency in AGENCIES]
    assert [each.listen.partition(":")[0] for each in listening] == ["127.0.0.2", "127.0.0.3"]
    assert listening[0].peers["ashmoor-city-council"].address == listening[1].listen
    assert listening[1].peers["ashmoor-police"].address == listening[0].listen


class TestPlaces:
    def test_the_first_node_of_a_machine_makes_the_folder_and_others_find_it(self, tmp_path):
        out = tmp_path / "out"
        passphrase = share_folder(out, out / "area" / "one")
        assert share_folder(out, out / "area" / "two") == passphrase
        assert sorted(path.name for path in out.iterdir()) == [MARKER_NAME, UNLOCK_FILE]
        assert (out / UNLOCK_FILE).stat().st_mode & 0o777 == 0o600

    def test_what_an_earlier_run_left_of_the_node_is_emptied(self, tmp_path):
        out = tmp_path / "out"
        share_folder(out, out / "area" / "one")
        for agency in ("one", "two"):
            (out / "area" / agency).mkdir(parents=True)
            (out / "area" / agency / "keys.json").write_text("old")
        share_folder(out, out / "area" / "one")
        assert not (out / "area" / "one" / "keys.json").exists()
        assert (out / "area" / "two" / "keys.json").exists()

    def test_a_folder_that_no_simulation_made_is_left_alone(self, tmp_path):
        (tmp_path / "mine.txt").write_text("keep me")
        with pytest.raises(ConfigError, match="not empty"):
            share_folder(tmp_path, tmp_path / "area" / "one")
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_a_folder_that_cannot_be_written_names_itself(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="file"):
            share_folder(tmp_path / "file", tmp_path / "file" / "one")

    def test_an_actor_says_what_of_ours_failed_and_of_others_the_kind(self):
        holder = NodeActor()
        failed = holder.do("some-force", "address")
        assert failed.error == ("some-force: address failed: AttributeError", "")
        assert failed.value is None

    def test_an_address_of_another_machine_is_refused(self):
        with pytest.raises(LocalError, match=r"no node can listen at 198\.51\.100\.1"):
            reserve_port("198.51.100.1")


def test_the_words_of_the_command(tmp_path, monkeypatch):
    asked = []

    def stopped(_scenario, options, **_more):
        asked.append(options)
        raise LocalError("enough")

    monkeypatch.setattr(runs, "run", stopped)
    words = ["simulate", "pilot", "--out", str(tmp_path / "out")]
    for more in ([], ["--on", "ray", "--cluster", "192.0.2.1:6379"]):
        assert CliRunner().invoke(cli.app, [*words, *more]).exit_code == 1
    assert [(each.on, each.cluster) for each in asked] == [("here", ""), ("ray", "192.0.2.1:6379")]
    assert CliRunner().invoke(cli.app, [*words, "--on", "moon"]).exit_code == 2
