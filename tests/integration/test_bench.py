"""`blindmatch bench`: the shape of its figures at a tiny size. How fast is not a test's business."""

import json

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.simulations.benchmarks import loop
from blindmatch.simulations.benchmarks.pair import TOKENS, PairCost

FIGURES = PairCost(
    elements=100,
    backend="libsodium",
    cores=2,
    receiver_cpu=2.0,
    sender_cpu=1.0,
    wall=2.0,
    receiver_peak=100 << 20,
    sender_peak=500 << 20,
    sent=3_200,
    received=4_800,
    loop_cpu=2.5,
    loop_wall=1.25,
)


def test_derived_figures():
    assert FIGURES.ratio == 1.2
    assert FIGURES.derived["elements_per_second"] == 50
    assert FIGURES.derived["bytes_per_element"] == 80.0
    assert FIGURES.derived["wall_ratio"] == 1.6


def test_a_missed_memory_target_is_said():
    assert "ABOVE" in dict(FIGURES.lines())["memory"]


def test_the_loop_splits_over_every_core():
    cost = loop.measure(64)
    assert cost.processes == min(loop.cores(), 64)
    assert cost.cpu > 0
    assert cost.wall > 0


def test_one_element_needs_one_process():
    assert loop.measure(1).processes == 1


def test_pair_measures_two_real_nodes():
    elements = 10 * TOKENS
    result = CliRunner().invoke(cli.app, ["bench", "pair", "--n", str(elements), "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["elements"] == elements
    for name in (
        "receiver_cpu",
        "sender_cpu",
        "wall",
        "loop_cpu",
        "loop_wall",
        "ratio",
        "elements_per_second",
    ):
        assert figures[name] >= 0, name
    # Points go out and come back, 32 bytes each; a tag table of 16 bytes a row comes with them.
    assert figures["sent"] > 32 * elements
    assert figures["received"] > (32 + 16) * elements
    assert figures["receiver_peak"] > 1 << 20
    assert figures["sender_peak"] > 1 << 20


def test_unknown_workload():
    result = CliRunner().invoke(cli.app, ["bench", "everything"])
    assert result.exit_code == 1
    assert "pair" in result.output


@pytest.mark.parametrize("n", ["0", "-5", "x"])
def test_wrong_sizes(n):
    assert CliRunner().invoke(cli.app, ["bench", "pair", "--n", n]).exit_code == 2
