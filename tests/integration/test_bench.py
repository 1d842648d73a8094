"""`blindmatch bench`: real runs at tiny sizes. How fast is not a test's business; what is counted, and what is said, is."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.protocol import group
from blindmatch.simulations.benchmarks import aggregate, environments, loop, pair, peer_job
from blindmatch.simulations.benchmarks.imports import FORMATS
from blindmatch.simulations.benchmarks.operations import OPERATIONS
from blindmatch.simulations.benchmarks.pair import TOKENS

pytestmark = pytest.mark.usefixtures("forked_nodes")


def bench(*words):
    return CliRunner().invoke(cli.app, ["bench", *words])


def figures(*words):
    result = bench(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_loop_splits_over_every_core():
    cost = loop.measure(64)
    assert cost.processes == min(loop.cores(), 64)
    assert cost.cpu > 0
    assert cost.wall > 0


def test_one_element_needs_one_process():
    assert loop.measure(1).processes == 1


def test_number_measures_three_rounds_over_the_same_lists(tmp_path):
    costs = aggregate.measure(TOKENS * 4)
    assert [cost.disclosure for cost in costs] == ["hits", "count", "sum"]
    assert all(cost.cpu > 0 and cost.bytes > 0 and cost.receiver_peak > 1 << 20 for cost in costs)
    assert {cost.elements for cost in costs} == {TOKENS * 4}
    # Points one way and the other, and tags back; a sum's entries are padded further.
    assert costs[1].bytes >= TOKENS * 4 * (32 + 32 + 16)
    assert costs[2].padded >= costs[1].padded == TOKENS * 4
    made = aggregate.report(costs)
    made.write(tmp_path)
    assert json.loads((tmp_path / "bench-number.json").read_text()) == made.data


def test_pair_measures_two_real_nodes(tmp_path):
    elements = 10 * TOKENS
    cost = pair.measure(elements)
    assert cost.elements == elements
    assert cost.backend == group.backend_name()
    for name in ("receiver_cpu", "wall", "loop_cpu", "loop_wall", "ratio"):
        assert getattr(cost, name) > 0, name
    # Points go out and come back, 32 bytes each; a tag table of 16 bytes a row comes with them.
    assert cost.sent > 32 * elements
    assert cost.received > (32 + 16) * elements
    assert cost.receiver_peak > 1 << 20
    assert cost.sender_peak > 1 << 20
    made = pair.report([cost], replace(cost, receiver_cpu=0.0, sender_cpu=0.0, loop_cpu=0.0))
    assert made.data["runs"][0]["ratio_beyond_start"] == pytest.approx(cost.ratio)
    assert made.data["machine"]["group_backend"] == group.backend_name()
    for path in made.write(tmp_path / "out"):
        assert path.stat().st_size > 100
    assert json.loads((tmp_path / "out" / "bench-pair.json").read_text()) == made.data
    assert "<svg" in (tmp_path / "out" / "bench-pair.svg").read_text()


def test_kernel_measures_every_operation():
    data = figures("kernel", "--backend", group.backend_name(), "--n", "8", "--n", "16")
    measured = {run["operation"]: run for run in data["runs"]}
    assert set(measured) == {operation.name for operation in OPERATIONS}
    assert all(run["one_core"] > 0 and run["all_cores"] > 0 for run in data["runs"])
    assert {run["backend"] for run in data["runs"]} == {group.backend_name(), ""}


def test_a_backend_that_is_not_there():
    result = bench("kernel", "--backend", "abacus")
    assert result.exit_code == 1
    assert group.backend_name() in result.output


@pytest.mark.parametrize("form", ["subjects-csv", "psc-register"])
def test_import_counts_rows_and_records(form):
    data = figures("import", "--n", "200", "--format", form)
    (run,) = data["runs"]
    assert run["form"] == form
    assert run["rows"] == 200
    # As a register, the lines of the two suppliers' companies count; each has one person.
    assert run["records"] == (4 if FORMATS[form].register else 200)
    assert run["spent"]["cpu"] > 0
    assert run["spent"]["peak"] > 1 << 20


def test_peers_without_the_packages_say_so_and_measure_us(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = bench("peers", "--n", "40", "--overlap", "0.25", "--json")
    assert result.exit_code == 0, result.output
    assert "spu is not installed; `blindmatch bench peers --install` does" in result.stderr
    assert "openmined-psi is not installed" in result.stderr
    (run,) = json.loads(result.stdout)["runs"]
    # Ten identifiers are on both sides, and all ten are found through two real nodes.
    assert (run["contender"], run["records"], run["found"], run["correct"]) == ("blindmatch", 40, 10, True)
    assert sum(step["cpu"] for step in run["steps"].values()) == pytest.approx(run["cpu"])
    # Both sides' certificates, 40 points there and back, a table of 40 tags.
    assert run["octets"] > 40 * (32 + 32 + 16)


@pytest.mark.parametrize(
    "contender", [peer_job.CONTENDERS[name] for name in peer_job.USUAL], ids=lambda c: c.name
)
def test_the_same_job_through_another_package(tmp_path, contender):
    package = environments.PACKAGES[contender.package]
    python = environments.find(package, None, environments.cache_folder())
    if python is None:
        pytest.skip(f"{package.name} is not installed: `blindmatch bench peers --install` does")
    files = peer_job.write_files(tmp_path / "files", 300, 0.1)
    cost = peer_job.run_package(contender, python, files, tmp_path / "run")
    assert (cost.records, cost.common, cost.found) == (300, 30, 30)
    assert cost.receiver.cpu > 0
    assert cost.sender.cpu > 0
    # Both sides' points or encoded vectors went through the relay.
    assert cost.octets > 300 * 16


def test_a_python_without_the_package_is_refused(tmp_path):
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'No module named spu' >&2\nexit 1\n")
    python.chmod(0o755)
    result = bench("peers", "--n", "40", "--python-spu", str(python))
    assert result.exit_code == 1
    assert "has no usable spu: No module named spu" in result.output
    assert "--install" in result.output


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("import", "--format", "papyrus"), "psc-records"),
        (("peers", "--with", "nobody"), "spu-rr22"),
    ],
)
def test_unknown_names_list_the_known_ones(words, known):
    result = bench(*words)
    assert result.exit_code == 1
    assert known in result.output


def test_unknown_workload():
    result = bench("everything")
    assert result.exit_code == 2


@pytest.mark.parametrize("n", ["0", "-5", "x"])
@pytest.mark.parametrize("workload", ["pair", "peers", "import"])
def test_wrong_sizes(workload, n):
    assert bench(workload, "--n", n).exit_code == 2
