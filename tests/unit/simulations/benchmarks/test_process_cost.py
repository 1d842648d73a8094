"""Counting what processes cost, and the bytes between them."""

import socket
import sys
import time

import pytest

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.benchmarks.process_cost import MeasuredProcess, ProcessCost, Relay, killed_on_exit
from blindmatch.simulations.drivers.node_process import free_ports

BUSY = "import time\nwhile time.process_time() < 0.2: pass\n"
LARGE = "held = bytearray(64 << 20); held[::4096] = b'x' * len(held[::4096])\nimport time\ntime.sleep(0.2)\n"


def python(tmp_path, code, name="trial"):
    return MeasuredProcess(name, [sys.executable, "-c", code], tmp_path, {})


def test_cpu_is_the_systems_own_account(tmp_path):
    spent = python(tmp_path, BUSY).wait(60)
    assert spent.cpu >= 0.2
    assert spent.wall >= spent.cpu / 2


def test_children_that_were_waited_for_count(tmp_path):
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}], check=True)\n"
    assert python(tmp_path, code).wait(60).cpu >= 0.2


def test_peak_memory_is_the_process_own(tmp_path):
    assert python(tmp_path, LARGE).wait(60).peak > 64 << 20


def test_output_is_kept(tmp_path):
    process = python(tmp_path, "print('found', 7)")
    process.wait(60)
    assert process.output == "found 7\n"


def test_a_failure_says_what_was_written_last(tmp_path):
    process = python(tmp_path, "import sys; sys.exit('no such key')", name="party")
    with pytest.raises(LocalError, match="party ended with status 1: no such key"):
        process.wait(60)


def test_one_that_does_not_end_in_time_is_killed(tmp_path):
    process = python(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(LocalError, match="did not end within"):
        process.wait(0.2)
    assert not process.running


def test_none_outlives_the_block(tmp_path):
    process = python(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(KeyError), killed_on_exit([process]):
        raise KeyError
    assert not process.running


def test_stopping_is_no_failure(tmp_path):
    port = free_ports(1)[0]
    code = f"import socket, time\nkept = socket.create_server(('127.0.0.1', {port}))\ntime.sleep(600)\n"
    process = python(tmp_path, code)
    process.until_listening(port)
    assert process.stop().cpu > 0


def test_waiting_for_a_listener_that_has_gone(tmp_path):
    process = python(tmp_path, "")
    with pytest.raises(LocalError, match="does not listen"):
        process.until_listening(free_ports(1)[0])


def test_costs_of_one_after_the_other():
    assert ProcessCost(1, 2, 30) + ProcessCost(4, 5, 6) == ProcessCost(5, 7, 30)


def test_a_relay_counts_both_ways_and_changes_nothing():
    asked, answered = b"q" * 300_000, b"a" * 70_000
    with socket.create_server(("127.0.0.1", 0)) as server, Relay(server.getsockname()[1]) as relay:
        with socket.create_connection(("127.0.0.1", relay.port)) as client:
            client.sendall(asked)
            client.shutdown(socket.SHUT_WR)
            line, _ = server.accept()
            with line:
                assert b"".join(iter(lambda: line.recv(1 << 16), b"")) == asked
                line.sendall(answered)
            assert b"".join(iter(lambda: client.recv(1 << 16), b"")) == answered
        assert relay.count == len(asked) + len(answered)


def test_a_relay_to_nobody_closes_the_connection():
    with Relay(free_ports(1)[0]) as relay, socket.create_connection(("127.0.0.1", relay.port)) as client:
        client.settimeout(60)
        assert client.recv(1) == b""
        assert relay.count == 0


def test_a_relay_stops_listening():
    with Relay(free_ports(1)[0]) as relay:
        port = relay.port
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
    pytest.fail("it still listens")
