"""Commands create keys and nodes; their passphrase encryption is not what is tested here."""

import pytest
from tests.support.cheap_keys import use_cheap_keys


@pytest.fixture(scope="module", autouse=True)
def cheap_keys():
    """See `tests.support.cheap_keys`."""
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_keys(patch)
        yield
