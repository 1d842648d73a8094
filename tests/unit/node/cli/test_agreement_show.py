"""`agreement show`: the terms in words, and what to expect of the round; hints that name the folder."""

import json

import pytest
from tests.support.agencies import Agency
from tests.support.offices import LEGAL, PASSPHRASE, terms
from typer.testing import CliRunner

from blindmatch.node.agreements import match_keys, summary
from blindmatch.node.cli import app, hints, load


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
    assert len(compiled) == 2  # two kinds of edges, each with our own list


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
    monkeypatch.setattr(hints, "_home", "a b")
    assert hints.with_home(text) == told
    monkeypatch.setattr(hints, "_home", str(hints.DEFAULT_HOME))
    assert hints.with_home(text) == text


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
    assert {words for words, options in every if "--home" not in options} == hints.WITHOUT_HOME
