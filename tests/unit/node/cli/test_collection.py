import csv
import json

import pytest
from tests.support.paths import FIXTURES
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings

PEOPLE, SUPPLIERS, REGISTER = (
    str(FIXTURES / name) for name in ("people.csv", "suppliers.csv", "register.jsonl")
)
SEAN = "forenames=Seán; surname=O'Brien; date_of_birth=3/4/1970"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command on a fresh node; gives (exit status, stdout, stderr)."""
    home = tmp_path / "node"
    settings = Settings(agency="west-force", name="West Force", role="police")
    Node.create(home, settings, "correct horse", scrypt_n=2**10).close()
    monkeypatch.setenv("BLINDMATCH_HOME", str(home))
    monkeypatch.setenv("BLINDMATCH_PASSPHRASE", "correct horse")
    monkeypatch.setenv("BLINDMATCH_USER", "ann")

    def call(*arguments, given=None):
        result = CliRunner().invoke(app, [str(item) for item in arguments], input=given)
        return result.exit_code, result.stdout, result.stderr

    return call


def audit(run):
    return [entry["event"] for entry in json.loads(run("audit", "list", "--json")[1])]


def test_import_list_show_delete(run):
    status, out, err = run("collection", "import", PEOPLE, "--kind", "subjects", "--fact", "group_reference")
    assert status == 0, err
    assert "Imported 4 records as subjects" in out
    assert "phone from phones" in out
    assert "warning: rows without a handling code" in err
    status, out, _ = run("collection", "list", "--json")
    (row,) = json.loads(out)
    assert (row["name"], row["kind"], row["records"]) == ("subjects", "subjects", 4)
    status, out, _ = run("collection", "show", "subjects", "--reference", "N-001", "--json")
    shown = json.loads(out)
    assert shown["handling_codes"] == {"P": 2, "C": 2}
    (record,) = shown["matching_records"]
    assert record["facts"] == {"group_reference": "OCG-7"}
    assert "company number" in record["says"]
    status, out, _ = run("collection", "show", row["id"], "--reference", "N-003")
    assert status == 0
    assert "can match on  forename, forename or its short form" in out
    assert "year and month of birth" in out
    assert "full date of birth" not in out
    assert run("collection", "delete", "subjects", given="n\n")[0] == 1
    assert run("collection", "delete", "subjects", given="y\n")[0] == 0
    assert "No collections." in run("collection", "list")[1]
    assert audit(run)[1:] == ["collection", "consultation", "consultation", "erasure"]


def test_show_without_a_reference_is_no_consultation(run):
    run("collection", "import", PEOPLE, "--kind", "subjects")
    assert run("collection", "show", "subjects")[0] == 0
    assert "consultation" not in audit(run)
    status, _, err = run("collection", "show", "subjects", "--reference", "N-999")
    assert (status, "no record with this reference" in err) == (1, True)
    status, _, err = run("collection", "show", "nobody")
    assert (status, "there is no collection nobody" in err) == (1, True)


def test_suppliers_with_the_register(run):
    status, out, err = run(
        "collection", "import", SUPPLIERS, "--kind", "suppliers", "--name", "s1", "--register", REGISTER
    )
    assert status == 0, err
    assert "register: 2 people of 2 companies" in out


def test_bad_rows_are_refused_reported_skipped_or_mended(run, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "reference,surname,forename,dob\nA,Quill,Ada,1970-01-01\nB,Quill,Bo,1970-02-30\n", encoding="utf-8"
    )
    report = tmp_path / "report.csv"
    status, out, err = run("collection", "import", bad, "--kind", "subjects", "--report", report)
    assert (status, out) == (1, "")
    assert "bad.csv: row 3: date_of_birth: there is no such day in that month" in err
    assert "1 bad rows and 1 good rows" in err
    with report.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "file": "bad.csv",
                "row": "3",
                "field": "date_of_birth",
                "reason": "there is no such day in that month",
                "kept": "",
            }
        ]
    status, out, _ = run("collection", "import", bad, "--kind", "subjects", "--json")
    refused = json.loads(out)
    assert (status, refused["imported"], refused["good_rows"]) == (1, False, 1)
    assert refused["bad_rows"][0]["row"] == 3
    both = run("collection", "import", bad, "--kind", "subjects", "--skip-bad-rows", "--blank-bad-fields")
    assert both[0] == 2
    status, out, _ = run("collection", "import", bad, "--kind", "subjects", "--skip-bad-rows", "--json")
    assert (status, json.loads(out)["records"]) == (0, 1)
    status, out, err = run(
        "collection", "import", bad, "--kind", "subjects", "--name", "kept", "--blank-bad-fields"
    )
    assert status == 0
    assert "row 3: date_of_birth: there is no such day in that month (kept: year and month)" in err


def test_a_long_list_of_bad_rows_is_cut_on_the_screen_only(run, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("reference,dob\n" + "".join(f"{i},nonsense\n" for i in range(30)), encoding="utf-8")
    report = tmp_path / "report.csv"
    _, _, err = run("collection", "import", bad, "--kind", "subjects", "--report", report)
    assert "… and 10 more" in err
    assert len(report.read_text(encoding="utf-8").splitlines()) == 31


def test_map_proposes_and_import_takes_it(run, tmp_path):
    mapping = tmp_path / "m.toml"
    status, out, _ = run("collection", "map", PEOPLE, "--kind", "subjects")
    assert (status, 'forenames = "forenames"' in out) == (0, True)
    assert (
        json.loads(run("collection", "map", PEOPLE, "--kind", "subjects", "--json")[1])["header"][0]
        == "reference"
    )
    assert run("collection", "map", PEOPLE, "--kind", "subjects", "--out", mapping)[0] == 0
    assert run("collection", "map", PEOPLE, "--kind", "subjects", "--out", mapping)[0] == 1
    assert run("collection", "import", PEOPLE, "--kind", "subjects", "--mapping", mapping)[0] == 0


def test_a_mapping_without_what_an_import_requires_exits_with_1(run, tmp_path):
    path = tmp_path / "colours.csv"
    path.write_text("Colour,Surname\nred,Quill\n", encoding="utf-8")
    status, out, error = run("collection", "map", path, "--kind", "suppliers")
    assert status == 1
    assert "[columns]" in out
    assert "no heading was recognised for the reference" in error


def test_wrong_words_have_status_2(run):
    assert run("collection", "import", PEOPLE, "--kind", "cats")[0] == 2
    assert run("collection", "import", "--kind", "subjects")[0] == 2
    assert run("linkage", "explain", SEAN, "--sizes", "many")[0] == 2


@pytest.mark.parametrize(
    ("side", "says"),
    [
        ("date_of_birth=yesterday", "not a date"),
        ("colour=red", "no field 'colour'"),
        ("surname=x; nothing", "field=value"),
        ("subjects", "collection:reference"),
        ("nobody:N-1", "no collection nobody"),
        ("subjects:N-999", "no record"),
    ],
)
def test_explain_says_what_it_cannot_read(run, side, says):
    run("collection", "import", PEOPLE, "--kind", "subjects")
    status, _, err = run("linkage", "explain", side)
    assert status == 1
    assert says in err


def test_explain_records(run):
    run("collection", "import", PEOPLE, "--kind", "subjects")
    run("collection", "import", SUPPLIERS, "--kind", "suppliers", "--register", REGISTER)
    status, out, _ = run("linkage", "explain", "subjects:N-001", "suppliers:V1", "--json")
    data = json.loads(out)
    assert status == 0
    words = [key["words"] for key in data["keys"]]
    assert "same company number" in words
    assert any("year and month of birth" in each for each in words)
    assert data["lead"] is True
    assert "quill" not in out.lower()
    status, out, _ = run(
        "linkage", "explain", "subjects:N-001", "full_name=Ada Quillfeather; date_of_birth=1970-02-03"
    )
    assert "A lead." in out
    assert audit(run).count("consultation") == 3
