"""The server as a whole: deny by default, honest health, limits, an orderly end."""

import asyncio
import importlib
import json
import pkgutil
import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from blindmatch.node.rounds.runner import run_round, unfinished
from blindmatch.node.server import running
from blindmatch.node.transport import gate, policy
from blindmatch.node.transport.error_status import CODE_KEY
from blindmatch.node.transport.metrics import Metrics, MetricsListener
from blindmatch.node.transport.refusals import WINDOW_SECONDS, Refusal, Refusals
from blindmatch.proto import v1
from blindmatch.proto.v1 import agreement_pb2
from blindmatch.protocol.errors import ConfigError, StoreError
from blindmatch.protocol.limits import Limits
from blindmatch.simulations.drivers.node_process import free_ports

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
SMALL = Limits(chunk_elements=32)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def refusal(channel, method, *messages):
    """Status, code of ours and words with which a call fails."""
    call = channel.stream_stream(method)(iter(messages), timeout=20)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for _ in call:
            pass
    trailing = dict(failed.value.trailing_metadata() or ())
    return failed.value.code(), trailing.get(CODE_KEY), failed.value.details()


def refused(node):
    """Refusals in the audit log: (who, which method, code, how many)."""
    rows = [row for row in node.store.audit_rows() if row.subject.startswith("call ")]
    details = [json.loads(row.detail) for row in rows]
    return [
        (row.recipient, row.subject.removeprefix("call "), detail["code"], detail["count"])
        for row, detail in zip(rows, details, strict=True)
    ]


async def test_every_method_that_is_not_listed_is_refused(town):
    node = town.nodes[NORTH]
    async with running(node), town.channel(WEST, NORTH) as channel:
        for method in ("/blindmatch.v1.Match/Peek", "/nothing/at.all", "/grpc.health.v1.Health/List"):
            status, code, _ = await refusal(channel, method, b"")
            assert (status, code) == (grpc.StatusCode.PERMISSION_DENIED, "wrong-agency")
    assert refused(node) == [(WEST, "unlisted", "wrong-agency", 1), (WEST, "unlisted", "wrong-agency", 2)]


def test_the_policy_lists_what_the_services_define():
    names = [module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")]
    assert "threshold_pb2" in names
    modules = [importlib.import_module(f"{v1.__name__}.{name}") for name in names]
    ours = {
        f"/{service.full_name}/{method.name}"
        for file in modules
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert ours == {method for method in policy.POLICY if method.startswith("/blindmatch.")}


async def test_the_first_refusal_is_written_at_once_and_the_rest_are_counted():
    written, now = [], [1_000.0]
    refusals = Refusals(written.append, lambda: now[0])
    for number in range(5):
        await refusals.note("a", "m", "c", address=f"1.2.3.4:{number}")
    await refusals.note("b", "m", "c", address="5.6.7.8:1")
    assert written == [Refusal("a", "m", "c", "1.2.3.4:0", 1), Refusal("b", "m", "c", "5.6.7.8:1", 1)]
    await refusals.flush()
    assert len(written) == 2
    now[0] += WINDOW_SECONDS
    await refusals.flush()
    assert written[2:] == [Refusal("a", "m", "c", "1.2.3.4:4", 4)]
    await refusals.note("a", "m", "c", address="1.2.3.4:9")
    assert written[3:] == [Refusal("a", "m", "c", "1.2.3.4:9", 1)]


async def test_refusals_that_could_not_be_written_are_not_forgotten():
    written, now, broken = [], [1_000.0], [True]

    def write(refusal):
        if broken[0]:
            raise StoreError("no space")
        written.append(refusal)

    refusals = Refusals(write, lambda: now[0])
    with pytest.raises(StoreError):
        await refusals.note("a", "m", "c", address="1.2.3.4:0")
    await refusals.note("a", "m", "c", address="1.2.3.4:1")
    now[0] += WINDOW_SECONDS
    with pytest.raises(StoreError):
        await refusals.flush()
    with pytest.raises(StoreError):
        await refusals.note("a", "m", "c", address="1.2.3.4:2")
    broken[0] = False
    await refusals.flush(everything=True)
    assert written == [Refusal("a", "m", "c", "1.2.3.4:2", 3)]


async def test_one_agency_cannot_keep_the_others_out(town):
    node = town.nodes[NORTH]
    service = node.settings.service.model_copy(update={"sessions": 4})
    node.settings = node.settings.model_copy(update={"service": service})
    describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()
    method = "/blindmatch.v1.Agreements/Describe"
    async with running(node, grace=0), town.channel(WEST, NORTH) as west, town.channel(SOUTH, NORTH) as south:
        stub = health_pb2_grpc.HealthStub(west)
        watching = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(4)]
        for call in watching:
            await call.read()
        status, code, _ = await refusal(west, method, describe)
        assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "unavailable")
        assert await south.unary_unary(method)(describe, timeout=20)
        for call in watching:
            call.cancel()


async def test_health_follows_the_store_and_the_keys(town):
    node = town.nodes[NORTH]
    async with running(node) as serving, town.channel(WEST, NORTH) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def status(service=""):
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
            return reply.status

        assert await status() == await status("blindmatch.v1.Match") == SERVING
        for path in (node.home / "node.db", node.home / "keys.json", node.home / "tls" / "certificate.pem"):
            aside = path.with_suffix(".aside")
            path.rename(aside)
            assert await status() == await status("blindmatch.v1.Match") == NOT_SERVING
            assert serving.metrics.registry.get_sample_value("blindmatch_healthy") == 0
            aside.rename(path)
            assert await status() == SERVING
        node.clock = lambda: town.now + 40 * 86_400
        assert not await serving.health.refresh()


async def test_those_who_watch_health_hear_of_the_end(town):
    async with running(town.nodes[NORTH], grace=5) as serving, town.channel(WEST, NORTH) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert (await watching.read()).status == SERVING
        await serving.health.stop()
        assert (await watching.read()).status == NOT_SERVING
        watching.cancel()


async def test_reflection_names_the_services(town):
    async with running(town.nodes[NORTH]), town.channel(WEST, NORTH) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (reply,) = [reply async for reply in stub.ServerReflectionInfo(iter([request]), timeout=20)]
    names = {service.name for service in reply.list_services_response.service}
    assert {"blindmatch.v1.Agreements", "blindmatch.v1.Match", "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize(
    ("size", "code"), [(SMALL.message_bytes + 1, "oversize"), (5 * SMALL.message_bytes, "bad-message")]
)
async def test_an_oversize_message_is_refused_and_noted(town, size, code):
    """Just over our limit the gate reads and names it; far over it gRPC cuts it off before any memory is spent."""
    node = town.nodes[NORTH]
    async with running(node), town.channel(WEST, NORTH) as channel:
        status, _, _ = await refusal(channel, "/blindmatch.v1.Match/Open", bytes(size))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()
        assert await channel.unary_unary("/blindmatch.v1.Agreements/Describe")(describe, timeout=20)
    # gRPC may tell the gate of a message that it cut off as late as when the call's time is up, or the server stops.
    assert refused(node) == [(WEST, "/blindmatch.v1.Match/Open", code, 1)]


async def until(condition):
    """Wait for what another task is about to do."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the store has no event to wait for
            await asyncio.sleep(0.01)


async def test_a_caller_that_says_nothing_is_let_go(town, monkeypatch):
    rules = dict(policy.POLICY)
    rules["/blindmatch.v1.Match/Evaluate"] = policy.Rule(policy.Who.RECEIVER, idle_seconds=0.05)
    monkeypatch.setattr(policy, "POLICY", rules)
    node = town.nodes[NORTH]
    async with running(node), town.channel(WEST, NORTH) as channel:
        call = channel.stream_stream("/blindmatch.v1.Match/Evaluate")(timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert refused(node) == [(WEST, "/blindmatch.v1.Match/Evaluate", "unavailable", 1)]


async def test_a_stopping_server_lets_the_running_stream_end(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    stopping = []
    async with running(town.nodes[NORTH], limits=SMALL) as serving:

        def watch(_edge, step, done, _total):
            if (step, done) == ("exchange", 2):
                stopping.append(asyncio.get_running_loop().create_task(serving.stop(grace=30)))

        outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL, progress=watch)
        await stopping[0]
    # Every chunk of the running stream came; the next call found nobody.
    assert (outcome.edges[0].state, outcome.edges[0].code) == ("collecting", "unavailable")
    async with running(town.nodes[NORTH], limits=SMALL):
        again = await run_round(town.nodes[WEST], held.id, resume_round=outcome.round_id, limits=SMALL)
    assert again.complete


class Gone(Exception):  # noqa: N818 - not an error
    """The receiver's process is no more."""


async def test_no_more_edges_run_at_once_than_the_settings_allow(town):
    node, police = town.nodes[NORTH], town.nodes[WEST]
    service = node.settings.service.model_copy(update={"sessions": 1})
    node.settings = node.settings.model_copy(update={"service": service})
    first, second = (town.sign_agreement(town.agreement(WEST, NORTH, records=n)) for n in (1_000, 2_000))

    def vanish(_edge, step, _done, _total):
        if step == "exchange":
            raise Gone

    async with running(node, limits=SMALL):
        with pytest.raises(Gone):
            await run_round(police, first.id, limits=SMALL, progress=vanish)
        busy = await run_round(police, second.id, limits=SMALL)
        assert (busy.edges[0].state, busy.edges[0].code) == ("committed", "unavailable")
        assert "as many open edges" in busy.edges[0].reason
        (row,) = unfinished(police, first.id)
        for held, round_id in ((first, row.round_id), (second, busy.round_id)):
            assert (await run_round(police, held.id, resume_round=round_id, limits=SMALL)).complete


async def test_calls_beyond_the_limit_are_told_to_come_again(town):
    node = town.nodes[NORTH]
    service = node.settings.service.model_copy(update={"sessions": 1})
    node.settings = node.settings.model_copy(update={"service": service})
    async with running(node, grace=0), town.channel(WEST, NORTH) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watching = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(4)]
        for call in watching:
            await call.read()
        status, code, _ = await refusal(channel, "/blindmatch.v1.Match/Tags", b"")
        assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "unavailable")
        watching[0].cancel()
        describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()

        async def answered():
            try:
                return await channel.unary_unary("/blindmatch.v1.Agreements/Describe")(describe, timeout=20)
            except grpc.aio.AioRpcError:
                return b""

        async with asyncio.timeout(20):
            while not await answered():  # noqa: ASYNC110 - the server has no event to wait for
                await asyncio.sleep(0.01)
        for call in watching[1:]:
            call.cancel()


async def test_two_servers_cannot_share_a_port(town):
    async with running(town.nodes[NORTH]):
        with pytest.raises(ConfigError, match="cannot listen"):
            async with running(town.nodes["south-council"], listen=f"127.0.0.1:{town.ports[NORTH]}"):
                pass


def test_metrics_are_served_and_hold_no_names():
    metrics = Metrics()
    metrics.refusals.labels("bad-point").inc()
    with MetricsListener(metrics, f"127.0.0.1:{free_ports(1)[0]}") as listener:
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/metrics", timeout=20) as reply:
            text = reply.read().decode()
        with pytest.raises(ConfigError, match="cannot listen"):
            MetricsListener(metrics, f"127.0.0.1:{listener.port}")
    assert 'blindmatch_refusals_total{code="bad-point"} 1.0' in text


async def test_metrics_count_calls_by_their_end(town):
    async with running(town.nodes[NORTH]) as serving, town.channel(WEST, NORTH) as channel:
        describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()
        await channel.unary_unary("/blindmatch.v1.Agreements/Describe")(describe, timeout=20)
        await refusal(channel, "/blindmatch.v1.Match/Tags", b"\xff")
        value = serving.metrics.registry.get_sample_value

        def calls(method, code):
            return value("blindmatch_calls_total", {"method": f"/blindmatch.v1.{method}", "code": code})

        await until(lambda: calls("Match/Tags", "INVALID_ARGUMENT") == 1)
        assert calls("Agreements/Describe", "OK") == 1


async def test_an_unforeseen_fault_of_ours_ends_the_call_and_not_the_server(town, monkeypatch):
    """Its words stay here: they might quote anything."""
    node = town.nodes[NORTH]

    async def broken(_self):
        raise RuntimeError("the word that must not travel")

    async with running(node), town.channel(WEST, NORTH) as channel:
        with monkeypatch.context() as patch:
            patch.setattr(gate._Call, "run", broken)
            status, code, details = await refusal(channel, "/blindmatch.v1.Match/Tags", b"")
        assert (status, code) == (grpc.StatusCode.INTERNAL, None)
        assert "travel" not in details
        describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()
        assert await channel.unary_unary("/blindmatch.v1.Agreements/Describe")(describe, timeout=20)
    assert refused(node) == [(WEST, "/blindmatch.v1.Match/Tags", "RuntimeError", 1)]
