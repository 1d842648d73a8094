"""`bench peers` without any package: files, environments, verdicts, the report."""

import csv
import sys
from pathlib import Path

import pytest

from blindmatch.protocol.errors import ConfigError, LocalError
from blindmatch.simulations.benchmarks import environments, peer_job, peers
from blindmatch.simulations.benchmarks.figures import select
from blindmatch.simulations.benchmarks.peer_job import ContenderCost, write_files
from blindmatch.simulations.benchmarks.peers import AbsentContender, report, verdicts
from blindmatch.simulations.benchmarks.process_cost import ProcessCost


def numbers(path):
    with path.open(newline="") as file:
        return [row[peer_job.COLUMN] for row in csv.DictReader(file)]


def cost(contender, records, cpu, *, found=5, common=5):
    half = ProcessCost(cpu / 2, 1.0, 100 << 20)
    return ContenderCost(
        contender, records, common, found, half, half, 3 << 20, 1.5, {"receiver": half, "sender": half}
    )


@pytest.mark.parametrize(("records", "overlap", "common"), [(500, 0.05, 25), (500, 0.0, 0), (40, 1.0, 40)])
def test_files_hold_the_overlap_that_was_asked_for(tmp_path, records, overlap, common):
    files = write_files(tmp_path, records, overlap)
    ours, theirs = numbers(files.receiver), numbers(files.sender)
    assert len(set(ours)) == len(set(theirs)) == len(ours) == len(theirs) == records
    assert len(set(ours) & set(theirs)) == files.common == common
    assert all(len(number) == 8 and number.isdigit() for number in ours + theirs)
    # Neither the order nor the place in the file says which ones are common.
    assert records < 50 or ours != sorted(ours)


def test_the_same_sizes_give_the_same_files(tmp_path):
    first, second = write_files(tmp_path / "a", 100, 0.1), write_files(tmp_path / "b", 100, 0.1)
    assert first.receiver.read_bytes() == second.receiver.read_bytes()
    assert first.sender.read_bytes() == second.sender.read_bytes()


def test_the_report_sets_everybody_beside_us():
    made = report(
        [cost("blindmatch", 1_000, 2.0), cost("spu-rr22", 1_000, 1.0), cost("openmined-psi", 1_000, 30.0)],
        [],
        0.05,
    )
    assert [row[-1] for row in made.rows] == [1.0, 0.5, 15.0]
    assert [series.name for series in made.series] == ["blindmatch", "spu-rr22", "openmined-psi"]
    assert made.series[0].points == ((1_000, 2.0),)
    assert made.data["runs"][1]["cpu"] == 1.0
    assert made.data["runs"][1]["correct"] is True
    assert any("5.0% of the records" in line for line in made.remarks)


def test_a_wrong_result_is_said():
    made = report([cost("spu-rr22", 1_000, 1.0, found=4)], [], 0.05)
    assert "4 of 5: WRONG" in made.rows[0]
    assert made.data["runs"][0]["correct"] is False


def test_whoever_is_missing_is_named():
    missed = [
        AbsentContender("spu-rr22", 0, "spu is not installed"),
        AbsentContender("openmined-psi", 10_000, "ended early"),
    ]
    remarks = report([cost("blindmatch", 10_000, 2.0)], missed, 0.05).remarks
    assert "spu-rr22: spu is not installed" in remarks
    assert "openmined-psi at 10,000: ended early" in remarks


def test_verdicts_are_met_and_missed_at_the_stated_ratio():
    costs = [
        cost("blindmatch", 1_000_000, 10.0),
        cost("spu-rr22", 1_000_000, 10.0),
        cost("spu-ecdh-25519", 1_000_000, 19.9),
        cost("openmined-psi", 1_000_000, 151.0),
    ]
    lines = verdicts(costs)
    assert [line.rpartition(": ")[2] for line in lines] == ["met", "MISSED", "met"]
    assert all("1,000,000" in line for line in lines)


def test_no_verdict_without_both_sides():
    assert verdicts([cost("blindmatch", 10_000, 1.0), cost("spu-rr22", 1_000, 1.0)]) == []


def test_our_own_parts_add_up():
    made = cost("blindmatch", 10, 4.0)
    assert sum(part.cpu for part in made.steps.values()) == made.cpu


def contenders(*names):
    return select(peer_job.CONTENDERS, names, "contender", peer_job.USUAL)


def test_contenders_by_name():
    assert [item.name for item in contenders()] == list(peer_job.USUAL)
    assert [item.name for item in contenders("spu-kkrt")] == ["spu-kkrt"]
    with pytest.raises(ConfigError, match="nobody"):
        contenders("nobody")


def test_environments_lie_in_the_users_cache(tmp_path):
    assert environments.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "blindmatch" / "peers"
    assert environments.cache_folder({}).parts[-3:] == (".cache", "blindmatch", "peers")


def test_nothing_installed_is_no_error(tmp_path):
    assert peers.interpreters(contenders(), {"spu": None, "openmined-psi": None}, tmp_path) == {}


def test_an_interpreter_that_has_the_package_is_taken(tmp_path):
    package = environments.Package("arrays", "numpy", "numpy")
    here = Path(sys.executable)
    assert environments.find(package, here, tmp_path) == here


def test_an_interpreter_without_it_is_refused(tmp_path):
    package = environments.Package("nothing", "nothing==1", "no_such_module_anywhere")
    with pytest.raises(LocalError, match="no_such_module_anywhere") as refused:
        environments.find(package, Path(sys.executable), tmp_path)
    assert "--install" in refused.value.hint


def test_an_environment_that_was_spoilt_is_refused_too(tmp_path):
    python = environments.python_in(tmp_path / "spu")
    python.parent.mkdir(parents=True)
    python.write_text("no program")
    with pytest.raises(LocalError, match="has no usable spu"):
        environments.find(environments.PACKAGES["spu"], None, tmp_path)


def test_a_contender_that_fails_is_a_remark(tmp_path):
    files = write_files(tmp_path / "files", 40, 0.1)
    contender = peer_job.CONTENDERS["spu-rr22"]
    # Our own Python has no spu: its side ends at the import.
    outcome = peers.attempt(contender, Path(sys.executable), files, tmp_path / "run")
    assert isinstance(outcome, AbsentContender)
    assert "spu" in outcome.reason
