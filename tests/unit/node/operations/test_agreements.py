"""Operations on agreements, between two real nodes: results, audit entries, errors."""

import json

import pytest

from blindmatch.node.operations import agreements, collections
from blindmatch.node.server import running
from blindmatch.protocol.errors import AgreementError, InputError, PeerError, StoreError

WEST, NORTH = "west-force", "north-council"
EDGE = f"{WEST}-from-{NORTH}"


@pytest.fixture
def west(town):
    return town.nodes[WEST]


@pytest.fixture
def draft(town, tmp_path):
    """A draft file, edited."""
    out = tmp_path / "draft.toml"
    choices = agreements.Choices(receivers=[WEST], senders=[NORTH])
    text = agreements.write_template(choices, town.now, out=out)
    assert out.read_text(encoding="utf-8") == text
    with pytest.raises(InputError, match="exists already"):
        agreements.write_template(choices, town.now, out=out)
    text = text.replace('title = ""', 'title = "T"').replace('purpose = """\n"""', 'purpose = "P"')
    out.write_text(text, encoding="utf-8")
    return out


@pytest.fixture
def unsigned(town):
    """The id of an agreement that both nodes hold and neither has signed."""
    return town.sign_agreement(town.agreement(WEST, NORTH), unsigned=(WEST, NORTH)).id.hex()


def actions(entries):
    return [detail["action"] for event, _, _, _, detail in entries if event == "alteration"]


async def test_a_proposal_is_signed_by_both(town, west, draft, entries):
    async with running(town.nodes[NORTH]), running(west):
        proposed = await agreements.propose(west, draft)
        agreement = proposed.summary.id
        assert [(each.agency, each.error) for each in proposed.outcomes] == [(NORTH, None)]
        assert proposed.data()["reached"] == [{"agency": NORTH, "error": None}]
        first = await agreements.sign(town.nodes[NORTH], agreement[:10])
        assert first.summary.state == f"waits for {WEST}"
        signed = await agreements.sign(west, agreement, collections=[(EDGE, "groups")])
    assert (signed.summary.state, signed.summary.missing, signed.unbound) == ("in force", (), {})
    assert actions(entries(WEST)) == ["drafted", "signature received", "bound", "signed"]
    assert actions(entries(NORTH)) == ["received", "bound", "signed", "signature received"]
    (edge,) = signed.terms["edges"]
    assert edge["collection"]["name"] == "groups"
    json.dumps(signed.data())
    assert agreements.list_agreements(west) == (signed.summary,)


async def test_a_file_goes_to_a_party_that_cannot_be_reached(town, west, draft, tmp_path):
    with pytest.raises(PeerError, match="entry is not known"):
        await agreements.propose(west, draft)
    assert agreements.list_agreements(west) == ()
    stored = town.sign_agreement(town.agreement(WEST, NORTH), unsigned=(NORTH,))
    file = tmp_path / "agreement.json"
    agreements.export(west, stored.id.hex(), file)
    imported = agreements.import_file(town.nodes[NORTH], file)
    assert imported.summary.missing == (NORTH,)
    assert imported.data()["reached"] == []
    verified = agreements.verify_file(file)
    assert (verified.complete, verified.signatures) == (False, {WEST: "valid", NORTH: "missing"})
    assert agreements.verify(west, stored.id.hex()) == verified


def test_what_can_be_shown_is_all_in_the_result(west, unsigned):
    shown = agreements.show(west, unsigned[:8])
    data = shown.data()
    assert "reached" not in data
    assert (data["id"], data["state"]) == (unsigned, f"waits for {WEST}, {NORTH}")
    assert shown.summary.data()["missing"] == (WEST, NORTH)
    json.dumps(data)
    with pytest.raises(StoreError):
        agreements.show(west, "beef")


def test_what_cannot_be_signed_is_reported_before_anything_changes(town, west, unsigned, entries):
    agreements.check_signable(west, unsigned, collections=[(EDGE, "groups")])
    with pytest.raises(AgreementError, match="no edge"):
        agreements.check_signable(west, unsigned, collections=[("another", "groups")])
    with pytest.raises(StoreError, match="none"):
        agreements.check_signable(west, unsigned, collections=[(EDGE, "none")])
    assert entries(WEST)[2:] == entries(WEST)
    assert agreements.show(west, unsigned).summary.missing == (WEST, NORTH)


async def test_an_edge_without_a_collection_has_a_reason(west, unsigned):
    collections.delete_collection(west, "groups")
    signed = await agreements.sign(west, unsigned, offline=True)
    assert list(signed.unbound) == [EDGE]
    assert "no such collection" in signed.unbound[EDGE].message
    assert signed.outcomes == ()


async def test_declining_and_withdrawing_reach_the_other_party(town, west, unsigned, entries):
    with pytest.raises(AgreementError, match="reason"):
        await agreements.decline(west, unsigned, "", offline=True)
    async with running(town.nodes[NORTH]):
        declined = await agreements.decline(west, unsigned, "Too wide.", justification="board")
        again = await agreements.decline(west, unsigned, "Another reason.")
    assert declined.summary.declined == again.summary.declined == (WEST,)
    assert declined.terms is None
    assert declined.data() == {**declined.summary.data(), "reached": [{"agency": NORTH, "error": None}]}
    ours = [entry for entry in entries(WEST) if entry[4].get("action") == "declined"]
    assert [entry[3] for entry in ours] == ["board"]
    assert agreements.list_agreements(town.nodes[NORTH])[0].declined == (WEST,)
    with pytest.raises(PeerError, match="declined"):
        await agreements.sign(town.nodes[NORTH], unsigned, offline=True)
    stored = town.sign_agreement(town.agreement(WEST, NORTH, records=50))
    withdrawn = await agreements.withdraw(west, stored.id.hex(), offline=True)
    assert (withdrawn.summary.withdrawn, withdrawn.outcomes) == ((WEST,), ())


async def test_signatures_are_fetched(town, west, unsigned):
    await agreements.sign(town.nodes[NORTH], unsigned, offline=True)
    (failed,) = await agreements.fetch(west, unsigned)
    assert failed.error is not None
    assert agreements.list_agreements(west)[0].not_reached == (NORTH,)
    async with running(town.nodes[NORTH]):
        await agreements.fetch_all(west)
    assert agreements.list_agreements(west)[0].missing == (WEST,)
