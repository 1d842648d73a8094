"""`blindmatch agreement` on two real data folders, without a network: files go back and forth."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.agencies import Agency
from tests.support.paths import ROOT
from typer.testing import CliRunner

from blindmatch.node.agreements import match_keys, registry, summary
from blindmatch.node.cli import app, common, load
from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_log import check, read_head
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

    def run(self, *words: object, status: int = 0, answer: str | None = None):
        command = ["agreement", *map(str, words), "--home", str(self.home)]
        result = CliRunner().invoke(app, command, env={"BLINDMATCH_PASSPHRASE": PASSPHRASE}, input=answer)
        assert result.exit_code == status, result.output
        return result

    def json(self, *words: object, status: int = 0):
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def open(self) -> Node:
        return Node.open(self.home, PASSPHRASE)

    def entry(self) -> str:
        keys = json.loads((self.home / "keys.json").read_text())
        return (
            f'[[parties]]\nagency = "{self.agency}"\nname = "{self.agency}"\nrole = "council"\n'
            f'identity_key = "{keys["identity_public"]}"\ncertificate_key = "{keys["certificate_key"]}"\n'
            f'legal_basis = "{LEGAL}"\n'
        )

    def collection(self, name: str, kind: str = "subjects", **more) -> None:
        table = self.home / f"{name}.csv"
        table.write_text(PEOPLE)
        with self.open() as node:
            import_collection(node, name, kind, table, **more)


def office(home: Path, agency: str, **values) -> Office:
    settings = {"agency": agency, "name": agency.title(), "role": "council", "legal_basis": LEGAL} | values
    with Node.create(home, make_settings(settings), PASSPHRASE, scrypt_n=16):
        return Office(home, agency)


@pytest.fixture
def west(tmp_path):
    return office(tmp_path / "west", "west-force")


@pytest.fixture
def east(tmp_path):
    return office(tmp_path / "east", "east-council")


def terms(*entries: str, head: str = "", edges: str = "") -> str:
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


@pytest.fixture
def draft(tmp_path, west, east):
    path = tmp_path / "draft.toml"
    path.write_text(terms(west.entry(), east.entry()))
    return path


@pytest.fixture
def agreed(west, east, draft, tmp_path):
    """An agreement that west drafted and east took in; nobody has signed."""
    made = west.json("draft", draft, "--offline")
    file = tmp_path / "proposal.json"
    west.run("show", made["id"], "--export", file)
    east.run("draft", "--import", file)
    return made["id"]


def test_the_template_is_what_an_officer_needs(west, tmp_path):
    out = tmp_path / "draft.toml"
    words = ("draft", "--receiver", "west-force", "--sender", "east-council", "--sender", "south-council")
    west.run(*words, "--out", out)
    values = tomllib.loads(out.read_text())
    assert [edge["sender"]["agency"] for edge in values["edges"]] == [["east-council", "south-council"]]
    assert [party["agency"] for party in values["parties"]] == ["west-force", "east-council", "south-council"]
    west.run(*words, "--out", out, status=1)  # never over a draft that somebody edited
    assert tomllib.loads(west.run(*words).stdout) == values


def test_the_template_with_facts_is_complete_but_for_the_words(west, east, tmp_path):
    words = ("draft", "--receiver", "west-force", "--sender", "east-council", "--disclosure", "hits+facts")
    text = west.run(*words).stdout
    start, end = text.index("\n[[parties]]"), text.index("\n# The edges.")
    text = text[:start] + "\n" + west.entry() + east.entry() + text[end:]
    path = tmp_path / "draft.toml"
    path.write_text(text)
    assert "title: is missing" in west.run("draft", path, "--offline", status=1).output
    path.write_text(text.replace('title = ""', 'title = "T"').replace('purpose = """\n"""', 'purpose = "P"'))
    made = west.json("draft", path, "--offline")
    assert made["edges"][0]["facts"] == ["contract_reference"]


@pytest.mark.parametrize(
    "words",
    [
        ("draft",),
        ("draft", "x.toml", "--receiver", "a"),
        ("draft", "--receiver", "west-force"),
        ("draft", "x.toml", "--import", "y"),
        ("draft", "--receiver", "a", "--sender", "b", "--disclosure", "everything"),
        ("sign",),
        ("sign", "abcd", "--collection", "edge"),
        ("sign", "abcd", "--collection", "=name"),
    ],
)
def test_wrong_words(west, words):
    west.run(*words, status=2)


def test_from_a_draft_to_signatures_of_both(west, east, agreed, tmp_path):
    assert west.json("verify", agreed, status=1)["signatures"] == {
        "west-force": "missing",
        "east-council": "missing",
    }
    signed = east.json("sign", agreed[:8], "--yes", "--offline")
    assert signed["state"] == "waits for west-force"
    file = tmp_path / "signed.json"
    east.run("show", agreed, "--export", file)
    assert west.json("draft", "--import", file)["missing"] == ["west-force"]
    assert west.json("sign", agreed, "--yes", "--offline")["state"] == "in force"
    west.run("show", agreed, "--export", file)
    assert west.json("verify", agreed)["complete"] is True
    assert west.json("verify", file)["complete"] is True
    assert west.json("list")[0]["state"] == "in force"
    assert west.json("show", agreed)["why_no_round"] is None
    # The other side has not seen west's signature yet, and says so.
    assert east.json("show", agreed)["why_no_round"].startswith("not every party has signed")


def test_a_file_is_verified_without_a_node(west, agreed, tmp_path):
    file = tmp_path / "file.json"
    west.run("sign", agreed, "--yes", "--offline")
    west.run("show", agreed, "--export", file)
    nobody = Office(tmp_path / "nobody", "nobody")
    verdict = nobody.json("verify", file, status=1)
    assert verdict["signatures"] == {"west-force": "valid", "east-council": "missing"}


def test_an_altered_file_is_found(west, east, agreed, tmp_path):
    file = tmp_path / "file.json"
    west.run("sign", agreed, "--yes", "--offline")
    west.run("show", agreed, "--export", file)
    content = json.loads(file.read_text())
    good = content["signatures"][0]["sig"]
    content["signatures"][0]["sig"] = ("A" if good[0] != "A" else "B") + good[1:]
    file.write_text(json.dumps(content))
    assert "INVALID" in west.json("verify", file, status=1)["signatures"]["west-force"]
    assert "does not verify" in east.run("draft", "--import", file, status=1).output
    assert east.json("show", agreed)["missing"] == ["west-force", "east-council"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"payloadType": 1, "payload": 2, "signatures": 3}', "\x00"]
)
def test_a_file_that_is_no_agreement(west, tmp_path, content):
    file = tmp_path / "file.json"
    file.write_text(content)
    assert "not an agreement" in west.run("draft", "--import", file, status=1).output
    assert "not an agreement" in west.run("verify", file, status=1).output


def test_show_says_everything_in_words(west, agreed):
    text = west.run("show", agreed).stdout
    for expected in (
        "Find links.",
        "up to OFFICIAL-SENSITIVE",
        "west-force (this node)",
        "NOT SIGNED",
        LEGAL,
        "at most 100 subjects, padded to one number of tokens, at most 8",
        "at most 80, compiled for each round, also for records that lack a field; of all leads 1.00% may be false",
        "The rates are 269 rounded numbers per list",
        "west-force learns which of its own subjects match",
        "It does not learn who they are",
        "expected chance matches",
        "full date of birth",
        "leads are erased after 30 days",
        "at most 3, on-demand",
        "until 2120-01-01 00:00:00 UTC",
        "0 of 3 rounds",
        "No round can start now",
    ):
        assert expected in text
    keys = json.loads((west.home / "keys.json").read_text())
    assert keys["identity_public"] in text.replace(" ", "")


def compiled_draft(draft, *, records=3_000, linkage=""):
    text = draft.read_text().replace(
        "max_records = 100, tokens_per_record = 8", f"max_records = {records}, tokens_per_record = 160"
    )
    draft.write_text(text.replace('disclosure = "hits"', f'disclosure = "hits"\n{linkage}'))


def test_show_says_what_to_expect_of_compiled_keys(west, draft):
    compiled_draft(draft, linkage="linkage = { budget = 40 }")
    made = west.json("draft", draft, "--offline")
    text = west.run("show", made["id"]).stdout
    ahead = west.json("show", made["id"])["edges"][0]["forecast"]
    assert 1 < len(ahead["keys"]) <= 40
    assert ahead["tokens"] == {"receiver": 2 * len(ahead["keys"]), "sender": 2 * len(ahead["keys"])}
    # 5% of 3,000, of which most are found; of all leads at most 1% is false.
    assert 50 < ahead["expected_true"] < 150
    assert ahead["expected_false"] <= 0.0102 * (ahead["expected_true"] + ahead["expected_false"])
    assert f"{len(ahead['keys'])} keys; {2 * len(ahead['keys'])} and {2 * len(ahead['keys'])} tokens" in text
    assert "true leads (" in text
    assert f"and {len(ahead['keys']) - 12} more" in text


def test_show_reckons_with_the_own_list_once_there_is_one(west, draft):
    compiled_draft(draft)
    made = west.json("draft", draft, "--offline")
    full = west.json("show", made["id"])["edges"][0]["forecast"]
    assert (full["own"], full["records"]) == ("", {"receiver": 3_000, "sender": 3_000})
    west.collection("people")
    ahead = west.json("show", made["id"])["edges"][0]["forecast"]
    assert (ahead["own"], ahead["records"]) == ("receiver", {"receiver": 1, "sender": 3_000})
    assert ahead["expected_true"] <= 0.1
    assert (
        "for our list of 1 and a full, typical one on the other side" in west.run("show", made["id"]).stdout
    )


def test_more_records_give_stricter_keys(west, draft):
    recall = []
    for records in (300, 30_000):
        text = draft.read_text()
        compiled_draft(draft, records=records)
        made = west.json("draft", draft, "--offline")
        recall.append(west.json("show", made["id"])["edges"][0]["forecast"]["recall"])
        draft.write_text(text)
    assert recall[0] > recall[1] > 0.3


def test_declining_signs_nothing(west, agreed):
    result = west.run("sign", agreed, "--offline", answer="n\n", status=1)
    assert "west-force learns which" in result.stdout  # what would have been signed was shown
    assert west.json("show", agreed)["parties"][0]["signed"] is False
    west.run("sign", agreed, "--offline", answer="y\n")
    assert west.json("show", agreed)["parties"][0]["signed"] is True


def test_signing_takes_the_only_collection(west, agreed):
    west.collection("people")
    west.run("sign", agreed, "--yes", "--offline")
    edge = west.json("show", agreed)["edges"][0]
    assert edge["collection"] == {"name": "people", "records": 2, "bound": True, "facts_missing": []}


def test_a_fact_that_the_senders_collection_lacks_is_said(west, east, tmp_path):
    edges = """
        [[edges]]
        disclosure = "hits+facts"
        facts = ["contract_value_gbp", "contract_volume"]
        fact_bytes = 64
        receiver = { agency = "west-force", kind = "subjects", max_records = 100, tokens_per_record = 8 }
        sender = { agency = "east-council", kind = "bidders", max_records = 100, tokens_per_record = 8 }
    """
    path, file = tmp_path / "draft.toml", tmp_path / "proposal.json"
    path.write_text(terms(west.entry(), east.entry(), edges=edges))
    made = west.json("draft", path, "--offline")
    west.run("show", made["id"], "--export", file)
    east.run("draft", "--import", file)
    bidders = tmp_path / "bidders.csv"
    bidders.write_text("reference,surname,forenames,dob,Contract Value (GBP)\nB1,Lee,Ann,1970-01-02,9\n")
    with east.open() as node:
        report = import_collection(node, "bidders", "bidders", bidders, facts=["Contract Value (GBP)"])
    assert report.facts["contract_value_gbp"] == "Contract Value (GBP)"
    assert east.json("show", made["id"])["edges"][0]["collection"]["facts_missing"] == ["contract_volume"]
    assert "WARNING  bidders has no fact contract_volume;" in east.run("show", made["id"]).stdout


def test_with_two_collections_one_is_named(west, agreed):
    west.collection("people")
    west.collection("more-people")
    result = west.run("sign", agreed, "--yes", "--offline")
    assert "west-force-from-east-council has no collection yet" in result.stderr
    assert "--collection west-force-from-east-council=NAME" in result.stderr
    west.run("sign", agreed, "--yes", "--offline", "--collection", "west-force-from-east-council=more-people")
    assert west.json("show", agreed)["edges"][0]["collection"]["name"] == "more-people"


@pytest.mark.parametrize(
    ("collection", "reason"),
    [
        ({"name": "people", "kind": "bidders"}, "edges[0].receiver.collection_kind"),
        ({"name": "people", "marking": "SECRET"}, "above the agreement's OFFICIAL-SENSITIVE"),
    ],
)
def test_a_collection_that_does_not_fit(west, agreed, collection, reason):
    west.collection(**collection)
    words = ("sign", agreed, "--yes", "--offline", "--collection", "west-force-from-east-council=people")
    assert reason in west.run(*words, status=1).output
    assert west.json("show", agreed)["parties"][0]["signed"] is False


@pytest.mark.parametrize(
    ("binding", "reason"),
    [
        ("west-force-from-east-council=none", "none"),
        ("another=people", "there is no edge another"),
    ],
)
def test_a_binding_that_means_nothing(west, agreed, binding, reason):
    west.collection("people")
    assert reason in west.run("sign", agreed, "--yes", "--offline", "--collection", binding, status=1).output


def test_too_many_records_for_the_edge(west, east, draft):
    draft.write_text(
        terms(west.entry(), east.entry())
        .replace("max_records = 100", "max_records = 1")
        .replace('["P"]', '["P", "C"]')
    )
    made = west.json("draft", draft, "--offline")
    west.collection("people")
    result = west.run("sign", made["id"], "--yes", "--offline")
    assert (
        "edges[0].receiver.max_records: is 1, but 2 records of collection people would enter" in result.stderr
    )


def test_withdrawal(west, east, agreed):
    for each in (west, east):
        each.run("sign", agreed, "--yes", "--offline")
    west.run("withdraw", agreed, "--offline", answer="n\n", status=1)
    data = west.json("withdraw", agreed, "--reason", "The pilot has ended.", "--yes", "--offline")
    assert data["state"] == "withdrawn by west-force"
    assert "The pilot has ended." in west.run("show", agreed).stdout
    assert "withdrawn by west-force" in west.run("sign", agreed, "--yes", "--offline", status=1).output
    west.run("withdraw", agreed, "--yes", "--offline")  # again: nothing changes
    assert west.json("show", agreed)["parties"][0]["withdrawn"]["reason"] == "The pilot has ended."


def test_declining_is_for_good_and_says_why(west, east, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    east.run("decline", agreed, "--offline", status=2)  # never without a reason
    east.run("decline", agreed, "--reason", "Too wide.", "--offline", answer="n\n", status=1)
    assert east.json("list")[0]["declined"] == []
    data = east.json("decline", agreed, "--reason", "Too wide.", "--yes", "--offline")
    assert (data["state"], data["declined"], data["withdrawn"]) == (
        "declined by east-council",
        ["east-council"],
        [],
    )
    shown = east.run("show", agreed).stdout
    assert "DECLINED on" in shown
    assert "Too wide." in shown
    assert "No round can start now: declined by east-council" in shown
    assert "declined by east-council" in east.run("sign", agreed, "--yes", "--offline", status=1).output
    with east.open() as node:
        (entry,) = [row for row in node.store.audit_rows() if '"declined"' in row.detail]
        assert entry.event == "alteration"


def test_who_was_not_reached_is_said_until_it_is(west, agreed):
    assert "not reached" not in west.run("show", agreed).stdout  # nobody has tried
    west.run("sign", agreed, "--yes")
    assert "NOT SIGNED; not reached yet: " in west.run("show", agreed).stdout
    assert west.json("list")[0]["not_reached"] == ["east-council"]
    with west.open() as node:
        node.store.note_contact(registry.find(node, agreed).id, "east-council")
    assert west.json("list")[0]["not_reached"] == []
    west.run("show", agreed, "--fetch")
    assert "not reached since 20" in west.run("show", agreed).stdout


def test_declining_after_signing_is_withdrawing(west, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    data = west.json("decline", agreed, "--reason", "Enough.", "--yes", "--offline")
    assert (data["state"], data["declined"]) == ("withdrawn by west-force", [])


@pytest.fixture
def wide(west, tmp_path):
    """West learns from twelve councils on equal terms, and from a thirteenth on others. 13 edges."""
    signers = [Agency(f"council-{number}").party() for number in range(13)]
    entries = "".join(
        f'[[parties]]\nagency = "{party.agency}"\nname = "X"\nrole = "council"\n'
        f'identity_key = "{party.identity_key.hex()}"\ncertificate_key = "{party.certificate_key.hex()}"\n'
        f'legal_basis = "{LEGAL}"\n'
        for party in signers
    )
    several = ", ".join(f'"council-{number}"' for number in range(12))
    edges = "".join(
        f"""
        [[edges]]
        disclosure = "hits"
        receiver = {{ agency = "west-force", kind = "subjects", max_records = 100, tokens_per_record = 8 }}
        sender = {{ agency = {senders}, kind = "suppliers", max_records = {most}, tokens_per_record = 8 }}
        """
        for senders, most in ((f"[{several}]", 100), ('"council-12"', 200))
    )
    path = tmp_path / "wide.toml"
    path.write_text(terms(west.entry(), entries, edges=edges))
    return west.json("draft", path, "--offline")["id"]


def test_edges_that_differ_in_their_agencies_are_shown_once(west, wide):
    text = west.run("show", wide).stdout
    assert "1 receiver, each from 12 senders: 12 edges, all alike" in text
    assert text.count("The receiver learns which of its own subjects match") == 1
    assert text.count("west-force learns which of its own subjects match") == 1  # the other kind
    assert "council-11" in text
    full = west.run("show", wide, "--full").stdout
    assert full.count("west-force learns which of its own subjects match") == 13
    data = west.json("show", wide)
    assert len(data["edges"]) == 13
    assert [len(group["edges"]) for group in data["alike"]] == [12, 1]
    assert data["edges"][0]["forecast"] == data["edges"][11]["forecast"] != data["edges"][12]["forecast"]


def test_edges_are_reckoned_with_once_for_all_that_are_alike(west, wide, monkeypatch):
    west.collection("people")
    measured, compiled = [], []
    own_rates, compile_keys = summary.own_rates, match_keys.compile_keys
    monkeypatch.setattr(summary, "own_rates", lambda *given: measured.append(given) or own_rates(*given))
    monkeypatch.setattr(
        match_keys, "compile_keys", lambda *given: compiled.append(given) or compile_keys(*given)
    )
    match_keys._forecast.cache_clear()
    match_keys._compile.cache_clear()
    west.run("show", wide)
    assert len(measured) == 1
    assert len(compiled) == 4  # two kinds of edges, with typical lists and with our own


def test_hints_name_the_folder_when_the_command_had_to(west, agreed, tmp_path):
    hint = west.run("show", "beef", status=1).stderr
    assert f"See `blindmatch agreement list --home {west.home}`." in hint
    result = CliRunner().invoke(
        app,
        ["agreement", "show", "beef"],
        env={"BLINDMATCH_PASSPHRASE": PASSPHRASE, "BLINDMATCH_HOME": str(west.home)},
    )
    assert "See `blindmatch agreement list`." in result.stderr  # the shell knows it already


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("blindmatch round run --resume abc", "blindmatch round run --home 'a b' --resume abc"),
        ("See `blindmatch round status`.", "See `blindmatch round status --home 'a b'`."),
        ("blindmatch pki issue x.csr --authority y", "blindmatch pki issue x.csr --authority y"),
        ("blindmatch node serve --home x", "blindmatch node serve --home x"),
        ("blindmatch pki request --out x --home y", "blindmatch pki request --out x --home y"),
        ("`blindmatch --version`", "`blindmatch --version`"),
        ("blindmatch linkage explain", "blindmatch linkage explain"),
    ],
)
def test_the_folder_in_a_hint(text, told, monkeypatch):
    monkeypatch.setattr(common, "_home", "a b")
    assert common.with_home(text) == told
    monkeypatch.setattr(common, "_home", str(common.DEFAULT_HOME))
    assert common.with_home(text) == text


def test_commands_without_a_folder_get_none_in_hints():
    def leaves(here, words):
        below = getattr(here, "commands", None)
        if below:
            for name, command in below.items():
                yield from leaves(command, (*words, name))
        else:
            yield " ".join(words), {name for parameter in here.params for name in parameter.opts}

    nouns = ("node", "pki", "collection", "agreement", "round", "audit", "keys")
    every = [found for noun in nouns for found in leaves(load(noun), (noun,))]
    assert {words for words, options in every if "--home" not in options} == common.WITHOUT_HOME


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('title = "Pilot"', 'title = ""'), "title: is missing"),
        (('title = "Pilot"', "title = 5"), "title: must be a text"),
        (('title = "Pilot"', ""), "title: is missing"),
        (('purpose = "Find links."', 'reason = "x"'), "reason: is not a field that we know"),
        (("expires = 2120-01-01", "expires = 2019-01-01"), "expires: is not after not_before"),
        (("expires = 2120-01-01", 'expires = "2120-01-01"'), "expires: must be a date without quotes"),
        (("rounds_budget = 3", "rounds_budget = 0"), "rounds_budget: is 0"),
        (("rounds_budget = 3", "rounds_budget = true"), "rounds_budget: must be a whole number"),
        (('"uk-person-company-2"', '"uk-unknown"'), "schema: no linkage schema"),
        (('handling_codes = ["P"]', 'handling_codes = "P"'), "handling_codes: must be a list"),
        (('handling_codes = ["P"]', 'handling_codes = ["X"]'), "handling_codes[0]: must be one of: P, C"),
        (('disclosure = "hits"', 'disclosure = "all"'), "edges[0].disclosure: must be one of"),
        (('disclosure = "hits"', 'disclosure = "hits+facts"'), "edges[0].facts: has 0 entries"),
        (('kind = "suppliers"', 'kind = "people"'), "edges[0].sender.collection_kind: must be one of"),
        (('kind = "suppliers",', ""), "edges[0].sender.collection_kind: is missing"),
        (("sender = {", "seller = {"), "edges[0].seller: is not a field that we know"),
        (('agency = "east-council", kind', 'agency = "nowhere", kind'), "parties[2]."),
        (("identity_key", "public_key"), "parties[0].public_key: is not a field that we know"),
        (
            ('legal_basis = "Crime', 'legal_basis = "\\u202eCrime'),
            "parties[0].legal_basis: holds an invisible",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { overlap = 5 }'),
            "edges[0].linkage.overlap: is 5",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { budget = "many" }'),
            "edges[0].linkage.budget: must be a whole number",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { threshold = 0.9 }'),
            "edges[0].linkage.threshold: is not a field that we know",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = "usual"'),
            "edges[0].linkage: must be a table",
        ),
        (("[[edges]]", "[edges]"), "edges: must be one or more tables"),
        (("title =", "title"), "not TOML"),
    ],
)
def test_a_wrong_draft_says_which_field(west, draft, change, reason):
    text = draft.read_text()
    assert change[0] in text
    draft.write_text(text.replace(*change, 1))
    result = west.run("draft", draft, "--offline", status=1)
    assert reason in result.output
    assert west.json("list") == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (2 << 20)])
def test_a_draft_that_is_no_text(west, tmp_path, content):
    path = tmp_path / "draft.toml"
    path.write_bytes(content)
    west.run("draft", path, "--offline", status=1)
    west.run("draft", tmp_path / "missing.toml", status=1)


def test_a_party_whose_node_is_unknown_is_named(west, tmp_path):
    path = tmp_path / "draft.toml"
    path.write_text(terms())
    offline = west.run("draft", path, "--offline", status=1).output
    assert "parties[1].certificate_key: is not known" in offline
    # Online it would be asked, which needs a certificate that this node does not have yet.
    assert "tls/certificate.pem" in west.run("draft", path, status=1).output


def test_a_node_without_legal_basis_cannot_draft(tmp_path, east):
    bare = office(tmp_path / "bare", "west-force", legal_basis="")
    path = tmp_path / "draft.toml"
    path.write_text(terms(east.entry()))
    assert "node.toml: legal_basis: is missing" in bare.run("draft", path, "--offline", status=1).output


def test_keys_that_are_not_ours_are_refused(west, east, draft):
    keys = json.loads((west.home / "keys.json").read_text())
    draft.write_text(draft.read_text().replace(keys["identity_public"], "ab" * 32))
    assert "parties[0].identity_key" in west.run("draft", draft, "--offline", status=1).output


def test_an_agreement_of_others_is_not_kept(tmp_path, west, agreed):
    file = tmp_path / "file.json"
    west.run("show", agreed, "--export", file)
    south = office(tmp_path / "south", "south-council")
    assert "not a party" in south.run("draft", "--import", file, status=1).output
    assert south.json("list") == []


@pytest.mark.parametrize("wrong", ["0" * 64, "abc", "not-hex", ""])
def test_an_id_that_is_none(west, agreed, wrong):
    assert "agreement" in west.run("show", wrong, status=1).stderr


def test_the_audit_log_has_it_all(west, east, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    west.run("withdraw", agreed, "--yes", "--offline", "--justification", "board decision 7")
    with west.open() as node:
        rows = list(node.store.audit_rows())
        head = read_head(west.home / "audit.head")
        public = node.keys.identity_public
    about = [row for row in rows if row.subject == f"agreement {agreed}"]
    assert {row.event for row in about} == {"alteration"}
    assert [json.loads(row.detail)["action"] for row in about] == ["drafted", "signed", "withdrawn"]
    assert about[-1].justification == "board decision 7"
    assert check(rows, agency="west-force", public_key=public, heads=[head]) == []


def test_the_documented_draft_is_accepted(west):
    manual = (ROOT / "docs" / "agreement.md").read_text()
    (example,) = re.findall(r"^```toml\n(.*?)^```", manual, re.MULTILINE | re.DOTALL)
    path = west.home / "draft.toml"
    path.write_text(example.replace("2026-", "2120-"))
    made = west.json("draft", path, "--offline")
    assert made["edges"][0]["facts"] == ["contract_value"]
    assert [party["agency"] for party in made["parties"]] == ["east-council", "west-force"]
