"""Two agencies' data folders, and the `agreement` command as their officers run it; no network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from blindmatch.node.cli import app
from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.config import make_settings

PASSPHRASE = "correct horse battery"


LEGAL = "Crime and Disorder Act 1998 s.115"


PEOPLE = (
    "reference,forenames,surname,date_of_birth,handling\nP1,Ann,Lee,1970-01-02,P\nP2,Bob,Ray,1971-02-03,C\n"
)


@dataclass(frozen=True)
class Office:
    """One agency's folder, and its officer at the keyboard."""

    home: Path
    agency: str

    def run(self, *words: object, status: int = 0, answer: str | None = None) -> Result:
        """Run a command of `agreement` in this folder; `answer` is what the officer types."""
        command = ["agreement", *map(str, words), "--home", str(self.home)]
        result = CliRunner().invoke(app, command, env={"BLINDMATCH_PASSPHRASE": PASSPHRASE}, input=answer)
        assert result.exit_code == status, result.output
        return result

    def json(self, *words: object, status: int = 0) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def open(self) -> Node:
        """The node."""
        return Node.open(self.home, PASSPHRASE)

    def entry(self) -> str:
        """The agency's entry in a draft."""
        keys = json.loads((self.home / "keys.json").read_text())
        return (
            f'[[parties]]\nagency = "{self.agency}"\nname = "{self.agency}"\nrole = "council"\n'
            f'identity_key = "{keys["identity_public"]}"\ncertificate_key = "{keys["certificate_key"]}"\n'
            f'legal_basis = "{LEGAL}"\n'
        )

    def collection(self, name: str, kind: str = "subjects", **more: Any) -> None:
        """Import two invented people; `more` goes to the importer."""
        table = self.home / f"{name}.csv"
        table.write_text(PEOPLE)
        with self.open() as node:
            import_collection(node, name, kind, table, **more)


def office(home: Path, agency: str, **values: Any) -> Office:
    """Create an agency's node; other settings by name."""
    settings = {"agency": agency, "name": agency.title(), "role": "council", "legal_basis": LEGAL} | values
    with Node.create(home, make_settings(settings), PASSPHRASE, scrypt_n=16):
        return Office(home, agency)


def terms(*entries: str, head: str = "", edges: str = "") -> str:
    """A draft: the parties' entries, and other lines in place of the usual head or edges."""
    usual_edge = """
        [[edges]]
        disclosure = "hits"
        receiver = { agency = "west-force", kind = "subjects", max_records = 100, tokens_per_record = 8 }
        sender = { agency = "east-council", kind = "suppliers", max_records = 100, tokens_per_record = 8 }
    """
    usual_head = """
        title = "Pilot"
        purpose = "Find links."
        schema = "uk-person-company-2"
        marking = "OFFICIAL-SENSITIVE"
        handling_codes = ["P"]
        not_before = 2020-01-01
        expires = 2120-01-01
        rounds_budget = 3
        calendar = "on-demand"
        retention_days = 30
    """
    lines = (head or usual_head).splitlines() + [line for entry in entries for line in entry.splitlines()]
    return "\n".join(line.strip() for line in [*lines, *(edges or usual_edge).splitlines()])
