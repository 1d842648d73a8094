"""The cheapest passphrase encryption for every key that the tests create: it protects nothing, and nodes open at once.

Tests of the encryption itself give its cost, or use the product's default.
"""

from typing import Any

import pytest

from blindmatch.node.node import Node
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage import keyring, passphrase_encryption
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.simulations.drivers import deploy

SCRYPT_N = 2


def use_cheap_keys(patch: pytest.MonkeyPatch) -> None:
    """Replace the default cost wherever it is one."""
    for function in (
        Node.create,
        KeyRing.create,
        Authority.create,
        keyring.change_passphrase,
        passphrase_encryption.encrypt,
    ):
        defaults: Any = getattr(function, "__func__", function).__kwdefaults__
        patch.setitem(defaults, "scrypt_n", SCRYPT_N)
    patch.setattr(deploy, "SIMULATION_SCRYPT_N", SCRYPT_N)
