"""`blindmatch node | pki | keys | audit`, through the program's own entry."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blindmatch.node import cli
from blindmatch.node.cli.output import debugging
from blindmatch.protocol import group, hashing
from blindmatch.protocol.errors import PeerCode, PeerError

PASSPHRASE = "correct horse battery"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in (
        "BLINDMATCH_HOME",
        "BLINDMATCH_PASSPHRASE_FILE",
        "BLINDMATCH_DEBUG",
        "BLINDMATCH_DATABASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLINDMATCH_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("BLINDMATCH_USER", "officer 7")
    runner = CliRunner()

    def run(*words: object, status: int = 0) -> Result:
        result = runner.invoke(cli.app, [str(word) for word in words])
        debugging(False)
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    run(
        "node", "init", "--home", "west", "--agency", "west-force", "--name", "West Force", "--role", "police"
    )
    return tmp_path / "west"


@pytest.fixture
def certified(run: Run, home: Path) -> Path:
    run("pki", "init", "--authority", "ca", "--name", "Pilot authority")
    run("pki", "request", "--home", "west", "--out", "west.csr")
    run("pki", "issue", "west.csr", "--authority", "ca", "--out", "west.pem", "--host", "127.0.0.1")
    run("pki", "install", "--home", "west", "--certificate", "west.pem", "--authority", "ca/authority.pem")
    return home


class TestProgram:
    def test_help_names_every_noun_and_imports_none(self) -> None:
        program = (
            "import sys; from blindmatch.node import cli\n"
            "try: cli.app(['--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'sqlalchemy', 'grpc', 'numpy', 'cryptography'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        output = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout
        assert all(f" {noun} " in output for noun in cli.NOUNS)

    def test_version(self, run: Run) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        assert run("--version").stdout == f"blindmatch {version('blindmatch')}\n"

    @pytest.mark.parametrize(
        "words",
        [["noed"], ["node", "begin"], ["node", "init"], ["node", "status", "--colour"], ["pki", "show"]],
    )
    def test_wrong_words_are_status_2(self, run: Run, words: list[str]) -> None:
        result = run(*words, status=2)
        assert result.stdout == ""
        assert result.stderr

    def test_the_installed_program(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", "from blindmatch.node.cli import main; main()", "node", "card"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: there is no node in node\nhint: ")

    def test_an_unforeseen_exception_does_not_show_its_text(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("a secret value")

        monkeypatch.setattr("blindmatch.node.operations.nodes.load_settings", fail)
        result = run("node", "card", status=1)
        assert "secret" not in result.output
        assert "error: unexpected RuntimeError at nodes.py:" in result.stderr
        debugged = run("--debug", "node", "card", status=1)
        assert isinstance(debugged.exception, RuntimeError)

    def test_a_peers_error_shows_its_code(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise PeerError(PeerCode.BAD_POINT, "element 3", hint="Tell them.")

        monkeypatch.setattr("blindmatch.node.operations.nodes.load_settings", fail)
        assert run("node", "card", status=1).stderr == "error: [bad-point] element 3\nhint: Tell them.\n"

    def test_a_noun_that_is_not_installed(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(cli.NOUNS, "gone", cli.Noun("Gone.", "blindmatch.no_such_module"))
        assert "which is not installed" in run("gone", "now", status=1).stderr
        run("--help")

    @pytest.mark.parametrize("name", ["node", "pki", "keys", "audit"])
    def test_every_command_explains_itself(self, run: Run, name: str) -> None:
        for command in cli.load(name).commands:
            assert "--help" in run(name, command, "--help").stdout


class TestNode:
    def test_init_makes_a_closed_folder(self, home: Path) -> None:
        assert home.stat().st_mode & 0o777 == 0o700
        assert {p.name for p in home.iterdir()} >= {"node.toml", "keys.json", "node.db", "audit.head", "tls"}
        assert all(p.stat().st_mode & 0o077 == 0 for p in home.iterdir())

    def test_init_says_what_comes_next(self, run: Run) -> None:
        result = run("node", "init", "--agency", "a", "--name", "A", "--role", "council", "--home", "h")
        assert "pki request --home h" in result.stderr
        assert "identity key" in result.stdout

    def test_init_refuses_a_folder_with_keys(self, run: Run, home: Path) -> None:
        before = (home / "keys.json").read_bytes()
        words = ["node", "init", "--home", "west", "--agency", "x", "--name", "X", "--role", "police"]
        assert "already" in run(*words, status=1).stderr
        assert (home / "keys.json").read_bytes() == before

    def test_init_does_not_build_on_remains(self, run: Run, home: Path) -> None:
        (home / "keys.json").unlink()
        words = ["node", "init", "--home", "west", "--agency", "x", "--name", "X", "--role", "police"]
        assert "node.toml, node.db" in run(*words, status=1).stderr

    def test_a_database_is_one_nodes_only(self, run: Run, tmp_path: Path, home: Path) -> None:
        words = ("node", "init", "--home", "other", "--agency", "other", "--name", "O", "--role", "council")
        shared = f"sqlite:///{home / 'node.db'}"
        result = run(*words, "--database", shared, status=1)
        assert "belongs to another node" in result.stderr
        run("audit", "verify", "--home", "west")
        run(*words)  # nothing is left in the way

    def test_a_node_is_no_peer_of_itself(self, run: Run, home: Path) -> None:
        result = run("node", "peer", "west-force", "127.0.0.1:7443", "--home", "west", status=1)
        assert "is this node itself" in result.stderr
        made = json.loads(run("node", "peer", "east", "127.0.0.1:7444", "--home", "west", "--json").stdout)
        assert made == {"agency": "east", "address": "127.0.0.1:7444", "server_name": ""}

    def test_what_makes_things_prints_json_too(self, run: Run, tmp_path: Path) -> None:
        def told(*words: object) -> Any:
            return json.loads(run(*words, "--json").stdout)

        made = told("node", "init", "--home", "n", "--agency", "n", "--name", "N", "--role", "council")
        assert told("pki", "init", "--authority", "ca", "--name", "Pilot")["name"] == "Pilot"
        assert (
            told("pki", "request", "--home", "n", "--out", "n.csr")["certificate_key"]
            == made["certificate_key"]
        )
        issued = told("pki", "issue", "n.csr", "--authority", "ca", "--out", "n.pem")
        assert (issued["agency"], issued["certificate"]) == ("n", "n.pem")
        given = ("--certificate", "n.pem", "--authority", "ca/authority.pem")
        assert told("pki", "install", "--home", "n", *given)["serial"] == issued["serial"]
        (revoked,) = told("pki", "revoke", "n", "--authority", "ca")
        assert revoked["serial"] == issued["serial"]
        (tmp_path / "new").write_text("another horse\n")
        assert told("keys", "passphrase", "--home", "n", "--new-passphrase-file", "new")["changed"] is True

    def test_init_can_be_repeated_when_the_database_was_not_there(self, run: Run, tmp_path: Path) -> None:
        words = ["node", "init", "--home", "h", "--agency", "x", "--name", "X", "--role", "police"]
        unreachable = "postgresql://nobody:hush@127.0.0.1:1/none"
        result = run(*words, "--database", unreachable, status=1)
        assert "database cannot be used" in result.stderr
        assert "hush" not in result.output
        run(*words)

    def test_init_with_a_wrong_id_makes_nothing(self, run: Run, tmp_path: Path) -> None:
        words = ["node", "init", "--home", "h", "--agency", "West", "--name", "X", "--role", "police"]
        assert "agency" in run(*words, status=1).stderr
        assert not (tmp_path / "h").exists()

    def test_a_short_passphrase_makes_nothing(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BLINDMATCH_PASSPHRASE", "short")
        words = ["node", "init", "--home", "h", "--agency", "w", "--name", "X", "--role", "police"]
        assert "at least 8" in run(*words, status=1).stderr
        assert not (tmp_path / "h").exists()

    def test_status_before_and_after_the_certificate(self, run: Run, home: Path) -> None:
        result = run("node", "status", "--home", "west", status=1)
        assert "NOT USABLE" in result.stdout
        assert "certificate.pem" in result.stdout

    def test_status_as_json(self, run: Run, certified: Path) -> None:
        run("node", "peer", "north-council", "192.0.2.1:7443", "--home", "west")
        status = json.loads(run("node", "status", "--home", "west", "--json").stdout)
        assert status["healthy"] is True
        assert status["certificate"]["days_left"] in {364, 365}
        assert status["peers"] == {"north-council": "192.0.2.1:7443"}
        assert (status["collections"], status["agreements"], status["running_edges"]) == (0, 0, 0)
        assert (status["curve"], status["hashing"]) == (group.backend_description(), hashing.backend_name())
        assert status["engine"] == "local"
        assert "usable" in run("node", "status", "--home", "west").stdout

    def test_status_is_honest_about_lost_keys(self, run: Run, certified: Path) -> None:
        (certified / "keys.json").unlink()
        assert "keys.json is missing" in run("node", "status", "--home", "west", status=1).stderr

    def test_wrong_passphrase(self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BLINDMATCH_PASSPHRASE", "wrong")
        result = run("node", "status", "--home", "west", status=1)
        assert "passphrase is wrong" in result.stderr
        assert "hint: " in result.stderr

    def test_settings_of_another_agency(self, run: Run, home: Path) -> None:
        settings = (home / "node.toml").read_text()
        (home / "node.toml").write_text(settings.replace('"west-force"', '"east-force"'))
        assert "the keys are those of west-force" in run("node", "status", "--home", "west", status=1).stderr

    def test_card_needs_no_passphrase(self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BLINDMATCH_PASSPHRASE")
        entry = json.loads(run("node", "card", "--home", "west", "--json").stdout)
        keys = json.loads(run("keys", "list", "--home", "west", "--json").stdout)
        assert (entry["agency"], entry["role"]) == ("west-force", "police")
        assert entry["identity_key"] == keys["identity_key"]
        assert entry["certificate_key"] == keys["certificate_key"]


class TestPki:
    def test_from_request_to_installed(self, run: Run, certified: Path) -> None:
        shown = json.loads(run("pki", "show", "west.pem", "--json").stdout)
        card = json.loads(run("node", "card", "--home", "west", "--json").stdout)
        assert shown["agency"] == "west-force"
        assert shown["certificate_key"] == card["certificate_key"]
        assert shown["hosts"] == "west-force.agency.blindmatch, 127.0.0.1"

    def test_issue_refuses_another_agencys_request(self, run: Run, certified: Path, tmp_path: Path) -> None:
        words = [
            "pki",
            "issue",
            "west.csr",
            "--authority",
            "ca",
            "--out",
            "x.pem",
            "--agency",
            "north-council",
        ]
        assert "the request is for west-force" in run(*words, status=1).stderr
        assert not (tmp_path / "x.pem").exists()

    def test_revoke(self, run: Run, certified: Path) -> None:
        serial = json.loads(run("pki", "show", "west.pem", "--json").stdout)["serial"]
        assert serial in run("pki", "revoke", "west-force", "--authority", "ca").stdout
        (issued,) = json.loads(run("pki", "show", "--authority", "ca", "--json").stdout)
        assert issued["serial"] == serial
        assert issued["revoked_at"] > 0
        run("pki", "install", "--home", "west", "--revoked", "ca/revoked.pem")
        assert (certified / "tls" / "revoked.pem").exists()
        assert "no valid certificate" in run("pki", "revoke", serial, "--authority", "ca", status=1).stderr

    def test_init_twice(self, run: Run, certified: Path) -> None:
        assert "already" in run("pki", "init", "--authority", "ca", "--name", "Again", status=1).stderr


class TestKeys:
    def test_the_passphrase_changes(
        self, run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "new").write_text("another long one\n")
        run("keys", "passphrase", "--home", "west", "--new-passphrase-file", "new")
        run("audit", "list", "--home", "west", status=1)
        listed = run("audit", "list", "--home", "west", "--passphrase-file", "new", "--json").stdout
        assert [entry["detail"]["action"] for entry in json.loads(listed)] == ["init", "passphrase"]

    def test_a_short_one_is_refused(self, run: Run, home: Path, tmp_path: Path) -> None:
        (tmp_path / "new").write_text("short\n")
        run("keys", "passphrase", "--home", "west", "--new-passphrase-file", "new", status=1)
        run("audit", "list", "--home", "west")


class TestAudit:
    @pytest.fixture
    def audit(self, run: Run, home: Path) -> Callable[..., Any]:
        def audit(*words: object, status: int = 0) -> Any:
            return json.loads(run("audit", *words, "--home", "west", "--json", status=status).stdout)

        return audit

    def test_making_the_node_is_the_first_entry(self, audit: Callable[..., Any]) -> None:
        (entry,) = audit("list")
        assert (entry["seq"], entry["event"], entry["user"]) == (1, "alteration", "officer 7")
        assert audit("list", "--event", "erasure") == []

    @pytest.mark.parametrize("columns", ["80", "200"])
    def test_the_list_for_people(
        self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, columns: str
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        run("audit", "export", "--home", "west", "--justification", "review")
        listed = " ".join(run("audit", "list", "--home", "west").stdout.split())
        assert "alteration node: action init" in listed
        assert "disclosure" in listed
        assert '"review"' in listed

    def test_export_is_itself_an_entry_and_can_be_verified(
        self, run: Run, audit: Callable[..., Any], tmp_path: Path
    ) -> None:
        run(
            "audit",
            "export",
            "--home",
            "west",
            "--out",
            "log.jsonl",
            "--head",
            "kept.head",
            "--justification",
            "review",
        )
        lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert [(line["seq"], line["event"]) for line in lines] == [(1, "alteration"), (2, "disclosure")]
        assert (lines[1]["recipient"], lines[1]["justification"]) == ("log.jsonl", "review")
        assert audit("verify", "--head", "kept.head") == {
            "agency": "west-force", "entries": 2, "intact": True, "problems": []
        }  # fmt: skip
        assert len(run("audit", "export", "--home", "west").stdout.splitlines()) == 3

    @pytest.mark.parametrize(
        ("statement", "seq", "reason"),
        [
            ("UPDATE audit SET user = 'nobody' WHERE seq = 2", 2, "altered"),
            ("DELETE FROM audit WHERE seq = 2", 2, "missing"),
            ("DELETE FROM audit WHERE seq = 3", 3, "missing"),
            ("DELETE FROM audit", 3, "missing"),
        ],
    )
    def test_tampering_is_found(
        self, run: Run, audit: Callable[..., Any], home: Path, statement: str, seq: int, reason: str
    ) -> None:
        for _ in range(2):
            run("audit", "export", "--home", "west")
        assert audit("verify")["intact"]
        connection = sqlite3.connect(home / "node.db")
        with connection:
            connection.execute(statement)
        connection.close()
        problems = audit("verify", status=1)["problems"]
        assert problems[0]["seq"] == seq
        assert problems[0]["reason"].startswith(reason)
        assert "NOT INTACT" in run("audit", "verify", "--home", "west", status=1).stdout

    def test_a_lost_head_is_said(self, audit: Callable[..., Any], home: Path) -> None:
        (home / "audit.head").unlink()
        (problem,) = audit("verify", status=1)["problems"]
        assert "audit.head is missing" in problem["reason"]

    def test_an_older_copy_of_everything_is_found_with_a_head_kept_elsewhere(
        self, run: Run, audit: Callable[..., Any], home: Path
    ) -> None:
        old = {path.name: path.read_bytes() for path in home.glob("*") if path.is_file()}
        run("audit", "export", "--home", "west", "--head", "kept.head")
        for name, content in old.items():
            (home / name).write_bytes(content)
        assert audit("verify")["intact"]
        (problem,) = audit("verify", "--head", "kept.head", status=1)["problems"]
        assert problem["reason"] == "missing: the head was signed at entry 2, the log ends at 1"

    def test_a_head_that_is_not_there(self, run: Run, home: Path) -> None:
        assert "no such head" in run("audit", "verify", "--home", "west", "--head", "none", status=1).stderr
