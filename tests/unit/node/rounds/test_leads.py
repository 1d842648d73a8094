"""Leads in their stored form."""

import pytest

from blindmatch.node.rounds.leads import ResultLead
from blindmatch.protocol.errors import StoreError


def lead(**changes):
    values = {
        "reference": "P-1",
        "agency": "north-council",
        "edge": "e",
        "keys": ("same name and date of birth",),
        "key_names": ("name+dob",),
        "score": 28.5,
        "posterior": 0.975,
        "handling": "P",
        "facts": ({"value": "10"}, {"value": "20", "role": "director"}),
        "more": 1,
        **changes,
    }
    return ResultLead(**values)


def test_a_lead_survives_the_store():
    assert ResultLead.from_json(lead().to_json()) == lead()
    assert ResultLead.from_json(lead(new=True).to_json()).new is True


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"keys": 1}', b"\xff"])
def test_a_damaged_lead_is_named_as_such(payload):
    with pytest.raises(StoreError, match="damaged"):
        ResultLead.from_json(payload)


def test_references_and_facts_stay_out_of_the_repr():
    assert "P-1" not in repr(lead())
    assert "director" not in repr(lead())
