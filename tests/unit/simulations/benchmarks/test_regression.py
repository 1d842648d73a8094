"""The guard against dearer code: ratios, instruction counts, the history file, and what it says."""

import json
from contextlib import contextmanager, nullcontext

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.protocol.errors import InputError, LocalError
from blindmatch.simulations.benchmarks import regression, workloads
from blindmatch.simulations.benchmarks.regression import History, Measurement

TWO = {name: workloads.WORKS[name] for name in ("tag", "import of subjects")}


class Steps:
    """A clock that a piece of work moves by itself."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def constant(values):
    """A way of measuring that gives these figures, one after the other, for every work."""
    given = {name: iter(values[name]) for name in values}
    return lambda work: next(given[work.name])


def run(path, values, **options):
    return regression.run(path, works=TWO, measure=constant(values), **options)


def test_a_ratio_is_work_over_loop_per_element(monkeypatch):
    clock = Steps()
    monkeypatch.setattr(regression, "compiled_loop", lambda: setattr(clock, "now", clock.now + 2.0))
    opened = nullcontext(lambda: setattr(clock, "now", clock.now + 10.0))
    work = workloads.Work("trial", lambda _size: opened, 5, (1, 2))
    assert regression.ratio(work, clock=clock) == pytest.approx(10.0 / 5 / 2.0 * 1e6)


def test_the_pace_of_the_machine_cancels(monkeypatch):
    work = workloads.Work("trial", lambda _size: opened, 5, (1, 2))
    ratios = []
    for pace in (1.0, 3.0):
        clock = Steps()
        opened = nullcontext(lambda: setattr(clock, "now", clock.now + 10.0 * pace))  # noqa: B023
        monkeypatch.setattr(
            regression,
            "compiled_loop",
            lambda: setattr(clock, "now", clock.now + 2.0 * pace),  # noqa: B023
        )
        ratios.append(regression.ratio(work, clock=clock))
    assert ratios[0] == pytest.approx(ratios[1])


def test_short_work_is_repeated_until_it_can_be_timed(monkeypatch):
    clock, calls = Steps(), []

    def call():
        calls.append(1)
        clock.now += regression.SHORT / 10

    monkeypatch.setattr(regression, "compiled_loop", lambda: setattr(clock, "now", clock.now + 1.0))
    work = workloads.Work("trial", lambda _size: nullcontext(call), 1, (1, 2))
    assert regression.ratio(work, clock=clock, turns=2) == pytest.approx(regression.SHORT / 10 * 1e6)
    assert len(calls) >= 2 + 2 * 10


@pytest.mark.parametrize("name", sorted(workloads.WORKS))
def test_every_piece_of_work_can_be_done_twice(name):
    work = workloads.WORKS[name]
    with workloads.prepared(work, 8) as call:
        call()
        call()


def test_what_is_prepared_is_put_away():
    closed = []

    @contextmanager
    def opened(_size):
        try:
            yield int
        finally:
            closed.append(1)

    work = workloads.Work("trial", opened, 1, (1, 2))
    with pytest.raises(KeyError), workloads.prepared(work, 1):
        raise KeyError
    assert closed == [1]


def test_real_ratios_are_kept_and_compared(tmp_path):
    path = tmp_path / "history.json"
    first = regression.run(path, works={"tag": workloads.WORKS["tag"]}, update=True)
    assert first.problems == ()
    stored = History(path).newest(regression.environment_name())["ratio"]["tag"]
    assert stored == pytest.approx(first.figures[0].now, rel=1e-3)


def test_nothing_kept_is_a_problem_and_says_what_to_do(tmp_path):
    outcome = run(tmp_path / "none.json", {"tag": [1.0, 1.0], "import of subjects": [2.0, 2.0]})
    (problem,) = outcome.problems
    assert regression.environment_name() in problem
    assert "--update" in problem


def test_a_dearer_piece_of_work_is_named(tmp_path):
    path = tmp_path / "history.json"
    run(path, {"tag": [100.0, 100.0], "import of subjects": [50.0, 50.0]}, update=True)
    dear = 100.0 * regression.RATIO_MARGIN + 1
    outcome = run(
        path, {"tag": [dear] * regression.ATTEMPTS, "import of subjects": [50.0 * regression.RATIO_MARGIN]}
    )
    (problem,) = outcome.problems
    assert problem.startswith("tag: ratio 131, 1.31 times the stored 100; at most 1.30 times is allowed")
    assert [row[-1] for row in outcome.rows] == ["SLOWER", "ok"]
    assert outcome.data["figures"][0]["dearer"] is True


def test_a_high_figure_is_measured_again(tmp_path):
    path = tmp_path / "history.json"
    run(path, {"tag": [100.0, 100.0], "import of subjects": [50.0, 50.0]}, update=True)
    outcome = run(path, {"tag": [200.0, 180.0, 110.0], "import of subjects": [50.0]})
    assert outcome.problems == ()
    assert outcome.figures[0].now == 110.0


def test_an_update_is_never_a_problem_and_counts_from_then_on(tmp_path):
    path = tmp_path / "history.json"
    run(path, {"tag": [100.0, 100.0], "import of subjects": [50.0, 50.0]}, update=True)
    assert run(path, {"tag": [900.0] * 4, "import of subjects": [50.0]}, update=True).problems == ()
    assert run(path, {"tag": [900.0], "import of subjects": [50.0]}).problems == ()


def test_cheaper_is_fine():
    assert not Measurement("tag", "ratio", 10.0, 100.0, 1.3).regressed
    assert not Measurement("tag", "ratio", 10.0, None, 1.3).regressed


def test_other_environments_do_not_count(tmp_path, monkeypatch):
    path = tmp_path / "history.json"
    monkeypatch.setattr(regression, "environment_name", lambda: "another machine")
    run(path, {"tag": [1.0, 1.0], "import of subjects": [1.0, 1.0]}, update=True)
    monkeypatch.undo()
    outcome = run(path, {"tag": [100.0, 100.0], "import of subjects": [100.0, 100.0]})
    assert "no figures are stored" in outcome.problems[0]


def test_the_history_stays_small(tmp_path, monkeypatch):
    path = tmp_path / "history.json"
    monkeypatch.setattr(regression, "MAX_ENTRIES", 3)
    for value in range(1, 6):
        run(path, {"tag": [float(value)] * 4, "import of subjects": [1.0, 1.0]}, update=True)
    history = History(path)
    assert [entry["ratio"]["tag"] for entry in history.entries] == [3.0, 4.0, 5.0]


def test_instructions_kept_once_outlast_runs_without_them(tmp_path):
    path = tmp_path / "history.json"
    history = History(path)
    history.add("here", [Measurement("tag", "instructions", 700.0, None, 1.03)], "2026-01-01")
    history.add("here", [Measurement("tag", "ratio", 3.0, None, 1.3)], "2026-01-02")
    assert History(path).newest("here") == {"ratio": {"tag": 3.0}, "instructions": {"tag": 700.0}}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        '{"format": 2, "entries": []}',
        '{"format": 1, "entries": [{"environment": "x"}]}',
        '{"format": 1, "entries": [{"environment": "x", "day": "y", "ratio": {"a": "b"}, "instructions": {}}]}',
    ],
)
def test_a_spoilt_history_is_refused(tmp_path, text):
    path = tmp_path / "history.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"history\.json"):
        History(path)


def test_the_history_of_the_source_tree_can_be_read():
    assert History(regression.HISTORY).entries


def test_instructions_per_element_leave_the_start_up_out(tmp_path, monkeypatch):
    counter = tmp_path / "valgrind"
    # 5,000 instructions to start, 70 for each element: the last argument is how many there are.
    counter.write_text(
        '#!/bin/sh\nfor last; do :; done\necho "==1== Collected : $((5000 + 70 * last))" >&2\n'
    )
    counter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert regression.count_instructions(workloads.WORKS["tag"]) == 70


def test_a_counter_that_fails_is_said(tmp_path, monkeypatch):
    counter = tmp_path / "valgrind"
    counter.write_text("#!/bin/sh\necho 'no such tool' >&2\nexit 1\n")
    counter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(LocalError, match="no such tool"):
        regression.count_instructions(workloads.WORKS["tag"])


def test_no_valgrind_is_said(monkeypatch):
    monkeypatch.setattr(regression.shutil, "which", lambda _name: None)
    with pytest.raises(LocalError, match="valgrind is not installed"):
        regression.count_instructions(workloads.WORKS["tag"])


def test_the_command_fails_when_something_is_dearer(tmp_path, monkeypatch):
    path = tmp_path / "history.json"
    cheap = dict.fromkeys(TWO, 1e-9)
    entry = {
        "environment": regression.environment_name(),
        "day": "2026-01-01",
        "ratio": cheap,
        "instructions": {},
    }
    path.write_text(json.dumps({"format": 1, "entries": [entry]}))
    monkeypatch.setattr(regression, "ATTEMPTS", 1)
    monkeypatch.setattr(regression.run, "__kwdefaults__", regression.run.__kwdefaults__ | {"works": TWO})
    result = CliRunner().invoke(cli.app, ["bench", "check", "--history", str(path)])
    assert result.exit_code == 1
    assert "error: tag: ratio" in result.output
    assert "SLOWER" in result.output


def test_only_some_works_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(regression, "count_instructions", lambda _work: 7.0)
    works = {name: workloads.WORKS[name] for name in ("tag", "finalize")}
    values = {"tag": [1.0, 1.0], "finalize": [1.0, 1.0]}
    outcome = regression.run(
        tmp_path / "h", works=works, measure=constant(values), instructions=True, update=True
    )
    assert [(f.name, f.kind) for f in outcome.figures] == [
        ("tag", "ratio"),
        ("tag", "instructions"),
        ("finalize", "ratio"),
    ]
