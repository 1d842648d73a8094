"""Mutual TLS 1.3 with real handshakes: who gets in, who does not, and what each is told."""

import asyncio
import socket
import ssl
import subprocess
import sys
import threading

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.local_nodes import PASSPHRASE, SCRYPT_N

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import registry
from blindmatch.node.pki import tls
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.server import running
from blindmatch.node.storage.config import dns_name
from blindmatch.node.transport.client import connect
from blindmatch.protocol.errors import ConfigError, PeerCode, PeerError

WEST, NORTH = "west-force", "north-council"


def own(node, town):
    return tls.load(node.home, node.settings, node.keys, now=town.now)


async def ask(node, agency=NORTH, **options):
    """One real call as `node`: the other side's description of itself."""
    async with connect(node, agency, **options) as peer:
        reply = await peer.call(peer.agreements.Describe, convert.describe_request())
        return convert.describe_reply.read(reply)


def raw_handshake(port, version, credentials, tmp_path):
    """A handshake by Python's own TLS, as far as the server's first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(cadata=credentials.authority.decode())
    context.set_alpn_protocols(["h2"])
    chain = tmp_path / "chain.pem"
    chain.write_bytes(credentials.certificate + credentials.key)
    context.load_cert_chain(chain)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=dns_name(NORTH)) as connection,
    ):
        return connection.version(), connection.recv(1)


async def test_tls_13_is_spoken_and_tls_12_is_not(town, tmp_path):
    credentials = own(town.nodes[WEST], town)
    async with running(town.nodes[NORTH]) as serving:
        version, first = await asyncio.to_thread(
            raw_handshake, serving.port, ssl.TLSVersion.TLSv1_3, credentials, tmp_path
        )
        assert (version, len(first)) == ("TLSv1.3", 1)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(
                raw_handshake, serving.port, ssl.TLSVersion.TLSv1_2, credentials, tmp_path
            )
        assert not await asyncio.to_thread(tls.accepts_tls12, "127.0.0.1", serving.port)


def test_the_probe_finds_a_server_that_speaks_tls_12(town, tmp_path):
    """So that the check at the start of every server can fail at all: gRPC imported first, in a process of its own."""
    node = town.nodes[NORTH]
    credentials = own(node, town)
    for name, content in (("key", credentials.key), ("certificate", credentials.certificate)):
        (tmp_path / name).write_bytes(content)
    code = f"""
import grpc, sys
from concurrent import futures
read = lambda name: open(f"{tmp_path}/{{name}}", "rb").read()
server = grpc.server(futures.ThreadPoolExecutor(1))
port = server.add_secure_port(
    "127.0.0.1:0", grpc.ssl_server_credentials([(read("key"), read("certificate"))])
)
server.start()
from blindmatch.node.pki import tls
print(tls.accepts_tls12("127.0.0.1", port))
server.stop(None)
"""
    environment = {"PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert result.stdout.strip() == "True", result.stderr


async def test_a_client_without_a_certificate_gets_nothing(town):
    async with running(town.nodes[NORTH]) as serving:
        authority = own(town.nodes[WEST], town).authority
        options = [("grpc.ssl_target_name_override", dns_name(NORTH))]
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{serving.port}", grpc.ssl_channel_credentials(authority), options
        ) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_known_agencies_talk(town):
    async with running(town.nodes[NORTH]):
        party = await ask(town.nodes[WEST])
    assert party == registry.own_party(town.nodes[NORTH])


@pytest.mark.parametrize("side", [WEST, NORTH])
async def test_a_certificate_of_another_authority_is_refused(town, side):
    other = Authority.create(
        town.folder / "other", PASSPHRASE, "Another authority", now=town.now - 60, scrypt_n=SCRYPT_N
    )
    node = town.nodes[side]
    town.issue_certificate(node, other)
    (node.home / "tls" / "authority.pem").write_bytes(
        other.certificate.public_bytes(Encoding.PEM) + town.authority.certificate.public_bytes(Encoding.PEM)
    )
    async with running(town.nodes[NORTH]):
        with pytest.raises(PeerError) as refused:
            await ask(town.nodes[WEST])
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE
    assert "authority" in refused.value.message + refused.value.hint


async def test_an_expired_certificate_of_the_server_is_named_as_such(town):
    node = town.nodes[NORTH]
    town.issue_certificate(node, now=town.now - 60 * 86_400)
    node.clock = lambda: town.now - 40 * 86_400  # its own clock is wrong, so it serves all the same
    async with running(node):
        with pytest.raises(PeerError, match="expired") as refused:
            await ask(town.nodes[WEST])
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE


async def test_an_expired_certificate_of_the_client_is_refused(town):
    node = town.nodes[WEST]
    town.issue_certificate(node, now=town.now - 60 * 86_400)
    async with running(town.nodes[NORTH]):
        with pytest.raises(ConfigError, match="expired"):
            await ask(node)
        node.clock = lambda: town.now - 40 * 86_400
        with pytest.raises(PeerError, match="our certificate") as refused:
            await ask(node)
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE


async def test_a_certificate_that_expires_during_a_connection_is_refused_at_the_next_call(town):
    server = town.nodes[NORTH]
    async with running(server), connect(town.nodes[WEST], NORTH) as peer:
        await peer.call(peer.agreements.Describe, convert.describe_request())
        server.clock = lambda: town.now + 40 * 86_400
        with pytest.raises(PeerError, match="not within its validity period") as refused:
            await peer.call(peer.agreements.Describe, convert.describe_request())
    assert refused.value.reason is PeerCode.WRONG_CERTIFICATE


async def test_the_server_of_another_agency_is_not_taken_for_the_right_one(town):
    """South listens where north should be; both have good certificates."""
    south = town.nodes["south-council"]
    async with running(south, listen=f"127.0.0.1:{town.ports[NORTH]}"):
        with pytest.raises(PeerError, match="another agency") as refused:
            await ask(town.nodes[WEST])
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE


async def test_another_key_than_the_agreement_names_is_refused(town):
    async with running(town.nodes[NORTH]):
        with pytest.raises(PeerError, match="another certificate key") as refused:
            await ask(town.nodes[WEST], certificate_key=bytes(32))
        await ask(town.nodes[WEST], certificate_key=town.nodes[NORTH].keys.certificate_key)
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE


async def test_a_revoked_client_is_refused_while_the_server_runs(town):
    client, server = town.nodes[WEST], town.nodes[NORTH]
    async with running(server):
        await ask(client)
        town.authority.revoke(WEST, now=town.now)
        (server.home / "tls" / "revoked.pem").write_bytes(
            (town.authority.folder / "revoked.pem").read_bytes()
        )
        with pytest.raises(PeerError, match="revoked") as refused:
            await ask(client)
        await ask(town.nodes["south-council"])
    assert refused.value.reason is PeerCode.WRONG_CERTIFICATE


async def test_a_revoked_server_is_refused(town):
    client = town.nodes[WEST]
    town.authority.revoke(NORTH, now=town.now)
    (client.home / "tls" / "revoked.pem").write_bytes((town.authority.folder / "revoked.pem").read_bytes())
    async with running(town.nodes[NORTH]):
        with pytest.raises(PeerError, match="revoked") as refused:
            await ask(client)
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE


async def test_nobody_there_is_unavailable_and_not_a_certificate(town):
    with pytest.raises(PeerError, match="no node answers") as failed:
        await ask(town.nodes[WEST])
    assert failed.value.code is PeerCode.UNAVAILABLE
    assert failed.value.hint


async def test_a_server_that_speaks_no_tls_is_not_talked_to(town):
    with socket.create_server(("127.0.0.1", town.ports[NORTH])) as plain:

        def answer():
            connection, _ = plain.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(PeerError) as failed:
            await ask(town.nodes[WEST])
        thread.join()
    assert failed.value.code in {PeerCode.WRONG_CERTIFICATE, PeerCode.UNAVAILABLE}


def test_a_node_refuses_a_certificate_that_is_not_its_own(town):
    node, other = town.nodes[WEST], town.nodes[NORTH]
    (node.home / "tls" / "certificate.pem").write_bytes((other.home / "tls" / "certificate.pem").read_bytes())
    with pytest.raises(ConfigError, match="another key"):
        own(node, town)


def test_credentials_hide_their_key(town):
    credentials = own(town.nodes[WEST], town)
    assert b"PRIVATE KEY" in credentials.key
    assert "PRIVATE" not in repr(credentials)


def test_a_certificate_without_an_agency_is_refused(town):
    authority = town.authority.certificate
    with pytest.raises(PeerError) as refused:
        tls.read_certificate(x509.load_der_x509_certificate(authority.public_bytes(Encoding.DER)))
    assert refused.value.code is PeerCode.WRONG_CERTIFICATE
