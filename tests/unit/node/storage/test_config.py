"""`node.toml`: what is written loads as it was meant, and what is wrong is refused with its place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.node.storage.config import (
    Settings,
    check_agency,
    dns_name,
    load_settings,
    make_settings,
    split_address,
)
from blindmatch.node.storage.config_template import add_peer, render_settings
from blindmatch.protocol.errors import ConfigError

MINIMAL: dict[str, Any] = {"agency": "west-force", "name": "West Force", "role": "police"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.toml"


def test_the_template_loads_as_what_it_was_made_from(path: Path) -> None:
    settings = make_settings(
        {
            **MINIMAL,
            "legal_basis": 'Crime and Disorder Act 1998 "s.115"',
            "contact": "line\nbreak, tab\t, \\ and é",
            "listen": "[::1]:7443",
            "database": {"url": "postgresql://u@h/d"},
            "log": {"level": "debug", "format": "console"},
            "metrics": {"listen": "127.0.0.1:9443"},
            "service": {"sessions": 3, "workers": 1, "call_seconds": 5, "drain_seconds": 0},
            "engine": "ray",
            "cluster": {"address": "ray://head.example:10001", "workers": 12},
            "peers": {
                "north-council": {"address": "192.0.2.1:1"},
                "9": {"address": "h:2", "server_name": "n"},
            },
        }
    )
    path.write_text(render_settings(settings), encoding="utf-8")
    assert load_settings(path) == settings


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_any_name_survives_the_file(name: str) -> None:
    import tomllib  # noqa: PLC0415

    settings = make_settings({**MINIMAL, "name": name})
    assert make_settings(tomllib.loads(render_settings(settings))) == settings


def test_defaults(tmp_path: Path) -> None:
    settings = make_settings(MINIMAL)
    assert settings.listen == "127.0.0.1:7443"
    assert settings.database_url(tmp_path, {}) == f"sqlite:///{tmp_path / 'node.db'}"
    assert (
        settings.database_url(tmp_path, {"BLINDMATCH_DATABASE_URL": "postgresql://h/d"}) == "postgresql://h/d"
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"agency": "West"}, "agency"),
        ({"agency": "-west"}, "agency"),
        ({"agency": "w" * 64}, "agency"),
        ({"agency": ""}, "agency"),
        ({"agency": "west\n"}, "agency"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"role": "Police Force"}, "role"),
        ({"listen": "7443"}, "listen"),
        ({"listen": "host:65536"}, "listen"),
        ({"listen": "::1:7443"}, "listen"),
        ({"listen": "[::g]:7443"}, "listen"),
        ({"listem": "host:1"}, "listem"),
        ({"log": {"level": "loud"}}, "log.level"),
        ({"metrics": {"listen": "nowhere"}}, "metrics.listen"),
        ({"service": {"sessions": 0}}, "service.sessions"),
        ({"service": {"sessions": "4"}}, "service.sessions"),
        ({"peers": {"north-council": {}}}, "peers.north-council.address"),
        ({"peers": {"North": {"address": "h:1"}}}, "peers.North"),
        ({"tls": {"key": "key.pem"}}, "tls.key"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_settings({**MINIMAL, **change})
    assert caught.value.message.startswith(f"settings: {place}")


def test_missing_fields_are_named() -> None:
    with pytest.raises(ConfigError, match="role"):
        make_settings({"agency": "west-force", "name": "West"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"agency = ", "not TOML"), (b'agency = "\xff"', "cannot be read"), (b"agency = 7", "agency")],
)
def test_files_that_cannot_be_used(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load_settings(path)


def test_no_node_there(path: Path) -> None:
    with pytest.raises(ConfigError, match="no node") as caught:
        load_settings(path)
    assert "node init" in caught.value.hint


def test_settings_do_not_show_the_database_url() -> None:
    settings = make_settings({**MINIMAL, "database": {"url": "postgresql://u:hush@h/d"}})
    assert "hush" not in repr(settings)


def test_settings_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_settings(MINIMAL).agency = "other"


class TestPeers:
    @pytest.fixture
    def written(self, path: Path) -> Settings:
        settings = make_settings(MINIMAL)
        path.write_text(render_settings(settings), encoding="utf-8")
        return settings

    def test_adding_leaves_the_rest_alone(self, path: Path, written: Settings) -> None:
        before = path.read_text(encoding="utf-8")
        settings = add_peer(path, "north-council", "192.0.2.1:7443", "north.example")
        assert settings == load_settings(path)
        assert settings.peer("north-council").address == "192.0.2.1:7443"
        assert settings.peer("north-council").server_name == "north.example"
        assert path.read_text(encoding="utf-8").startswith(before)

    def test_twice(self, path: Path, written: Settings) -> None:
        add_peer(path, "north-council", "192.0.2.1:7443")
        with pytest.raises(ConfigError, match="already"):
            add_peer(path, "north-council", "192.0.2.2:7443")

    @pytest.mark.parametrize(("agency", "address"), [("North", "h:1"), ("north", "h"), ("x]\n[log", "h:1")])
    def test_wrong_entries_do_not_touch_the_file(
        self, path: Path, written: Settings, agency: str, address: str
    ) -> None:
        before = path.read_bytes()
        with pytest.raises(ConfigError):
            add_peer(path, agency, address)
        assert path.read_bytes() == before

    def test_unknown(self, written: Settings) -> None:
        with pytest.raises(ConfigError, match="no address is known") as caught:
            written.peer("north-council")
        assert "node peer north-council" in caught.value.hint


def test_addresses() -> None:
    assert split_address("host.example:1") == ("host.example", 1)
    assert split_address("[::1]:65535") == ("::1", 65_535)
    for wrong in ("", ":1", "host:", "host:x", "host:-1", "host:\u0661", "[]:1", "[host]:1", "::1"):
        with pytest.raises(ValueError):
            split_address(wrong)


def test_every_agency_makes_a_dns_name() -> None:
    assert dns_name(check_agency("a" * 63)).split(".") == ["a" * 63, "agency", "blindmatch"]
