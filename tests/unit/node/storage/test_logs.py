"""Logs: flat values pass, everything that could hold a secret does not."""

import io
import json

import pytest
import structlog

from blindmatch.node.storage.logs import LONGEST_TEXT, configure, logger, only_plain_values


@pytest.fixture
def restored():
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class Holder:
    def __repr__(self):
        return "the secret itself"


def test_only_flat_values_reach_a_line():
    event = only_plain_values(
        None, "info", {"n": 1, "x": 1.5, "yes": True, "none": None, "key": b"secret", "thing": Holder()}
    )
    assert event == {
        "n": 1,
        "x": 1.5,
        "yes": True,
        "none": None,
        "key": "<6 bytes>",
        "thing": "<Holder>",
    }


def test_long_texts_are_cut():
    event = only_plain_values(None, "info", {"reason": "x" * 10_000})
    assert len(event["reason"]) == LONGEST_TEXT + 1


@pytest.mark.usefixtures("restored")
def test_json_lines_carry_what_was_bound_and_nothing_below_the_level():
    out = io.StringIO()
    configure(level="warning", form="json", stream=out)
    log = logger(agency="west-force")
    log.info("unseen")
    log.warning("call refused", code="bad-point", secret=b"x" * 32)
    (line,) = out.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "agency": "west-force",
        "code": "bad-point",
        "event": "call refused",
        "level": "warning",
        "secret": "<32 bytes>",
    }


@pytest.mark.usefixtures("restored")
def test_the_console_form_is_for_people():
    out = io.StringIO()
    configure(level="info", form="console", stream=out)
    logger(agency="west-force").info("serving", port=7443)
    assert "serving" in out.getvalue()
    assert "port=7443" in out.getvalue()
