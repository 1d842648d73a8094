"""What every level of the tests shares, and a PostgreSQL server of the tests' own for those that ask for one.

Hypothesis runs without deadlines, since speed is measured elsewhere. TLS is set up before any test file imports gRPC.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from blindmatch.node.pki import tls

assert tls.CIPHERS_BELOW_TLS13
settings.register_profile(
    "blindmatch",
    deadline=None,
    max_examples=40,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("blindmatch")

READY_SECONDS = 60


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes first, in the random order that they have: what takes long shall not be what one worker ends with alone."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


def _binaries() -> Path:
    """Debian keeps the server's programs out of PATH, one folder per version; the newest wins."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    on_path = shutil.which("initdb")
    candidates = [p.parent for p in found] or ([Path(on_path).parent] if on_path else [])
    if candidates:
        return candidates[-1]
    reason = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as the account that its package made."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A private server on a Unix socket, without durability; yields the folder of its socket."""
    binaries, account = _binaries(), _account()
    folder = Path(tempfile.mkdtemp(prefix="blindmatch-pg-"))  # a socket's path has at most 107 characters
    try:
        if account:
            os.chown(folder, account["user"], account["group"])
        data = folder / "data"
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "blindmatch",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-N",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **account,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, "-h", "", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                cwd=folder,
                **account,
            )
        try:
            _wait_until_ready(server, folder)
            yield str(folder)
        finally:
            server.send_signal(signal.SIGINT)  # "fast" shutdown: open sessions end
            try:
                server.wait(READY_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder)


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg  # noqa: PLC0415 - an extra, which the other tests of this folder do not need

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=str(folder), user="blindmatch", dbname="postgres").close()
            return
        time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text()[-2000:]}")


@pytest.fixture
def new_postgresql_database(postgresql_server: str) -> Callable[[], str]:
    """Makes a new, empty database; gives its URL."""
    import psycopg  # noqa: PLC0415 - an extra, which other tests do not need

    def make() -> str:
        name = f"test_{os.urandom(8).hex()}"
        with psycopg.connect(
            host=postgresql_server, user="blindmatch", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://blindmatch@/{name}?host={postgresql_server}"

    return make


@pytest.fixture(scope="session")
def node_templates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Prepared nodes for `NodeTemplates.copy`. Nodes of this session compile the keys of the same lists once."""
    from tests.support.compile_cache import share_compiled_keys  # noqa: PLC0415 - most files need no nodes
    from tests.support.local_nodes import NodeTemplates  # noqa: PLC0415 - most files need no nodes

    share_compiled_keys(tmp_path_factory.mktemp("compiled-keys"))
    return NodeTemplates(tmp_path_factory.mktemp("node-templates"))
