"""What tests of the commands share: cheap passphrase encryption, and two agencies' folders with a draft agreement."""

import pytest
from tests.support.cheap_keys import use_cheap_keys
from tests.support.offices import office, terms


@pytest.fixture(scope="module", autouse=True)
def cheap_keys():
    """See `tests.support.cheap_keys`."""
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_keys(patch)
        yield


@pytest.fixture
def west(tmp_path):
    return office(tmp_path / "west", "west-force")


@pytest.fixture
def east(tmp_path):
    return office(tmp_path / "east", "east-council")


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
