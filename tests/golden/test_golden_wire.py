"""What is on the wire keeps its form: every message's fields by number and type, every service's methods, every error's code."""

import json

from blindmatch.node.pki import tls

# isort: split
# `tls` goes before gRPC.
import grpc
from google.protobuf.descriptor import FieldDescriptor

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.aggregate import codec as number_convert
from blindmatch.node.rounds.threshold import codec as threshold_convert
from blindmatch.node.transport import error_status
from blindmatch.node.transport.health import SERVICES
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.node.transport.metrics import Metrics
from blindmatch.node.transport.policy import POLICY
from blindmatch.proto.v1 import (
    agreement_pb2,
    common_pb2,
    match_pb2,
    number_pb2,
    standing_pb2,
    threshold_pb2,
)
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS, PROTOCOL_VERSION
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

assert tls.CIPHERS_BELOW_TLS13

FILES = (agreement_pb2, common_pb2, match_pb2, number_pb2, standing_pb2, threshold_pb2)
TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def field_of(field):
    kind = TYPES[field.type] if field.message_type is None else field.message_type.full_name
    several = "repeated " if field.is_repeated else ""
    inside = f" of {field.containing_oneof.name}" if field.containing_oneof is not None else ""
    return f"{several}{kind} {field.name} = {field.number}{inside}"


def test_messages_and_services(golden):
    """By their full names: in which file a message is defined is not on the wire."""
    messages = {
        message.full_name: [field_of(field) for field in message.fields]
        for module in FILES
        for message in module.DESCRIPTOR.message_types_by_name.values()
    }
    services = {
        service.full_name: [
            f"{method.name}: {'stream ' * method.client_streaming}{method.input_type.full_name} -> "
            f"{'stream ' * method.server_streaming}{method.output_type.full_name}"
            for method in service.methods
        ]
        for module in FILES
        for service in module.DESCRIPTOR.services_by_name.values()
    }
    golden("messages", dict(sorted(messages.items())))
    golden("services", dict(sorted(services.items())))


def test_errors_and_bounds(golden):
    refused = {
        code.value: [error_status.STATUS[code].name, *error_status.abort_arguments(PeerError(code, "why"))[2]]
        for code in PeerCode
    }
    bare = {
        f"gRPC {code.name}": error_status.error_from_status("peer", code, "", {}).code.value
        for code in grpc.StatusCode
        if code is not grpc.StatusCode.OK
    }
    golden("errors", {"key": error_status.CODE_KEY, **refused, **bare})
    golden("bounds", {"version": PROTOCOL_VERSION, **vars(LIMITS)})


HEADER, STATEMENT = Header(b"round-0123456789", "an-edge", 3), Signed(b"payload", b"s" * 64)
PROGRESS = edge_codec.Progress(2, 7)


def test_messages_that_no_exchange_in_memory_sends(golden):
    wire = {
        "prepare request": edge_codec.prepare_request(HEADER, b"a" * 32, STATEMENT),
        "prepare reply": edge_codec.prepare_reply(HEADER, STATEMENT),
        "open reply, progress": edge_codec.open_reply(HEADER, PROGRESS),
        "reports request": number_convert.reports_request(b"a" * 32),
        "report": number_convert.report(HEADER, STATEMENT, Signed(b"other", b"o" * 64)),
        "rates request": threshold_convert.rates_request(HEADER, b"a" * 32),
        "rates reply": threshold_convert.rates_reply(HEADER, STATEMENT),
        "join request": threshold_convert.join_request(HEADER, [STATEMENT, Signed(b"other", b"o" * 64)]),
        "join reply, progress": threshold_convert.join_reply(HEADER, PROGRESS),
        "build reply, progress": threshold_convert.build_reply(HEADER, PROGRESS),
    }
    golden("other messages", {
        label: message.SerializeToString(deterministic=True) for label, message in wire.items()
    })  # fmt: skip


def test_who_may_call_what_and_what_is_measured(golden):
    golden("policy", {method: [rule.who.name, rule.idle_seconds] for method, rule in POLICY.items()})
    golden("health", {"services": list(SERVICES)})
    measured = Metrics().registry.collect()
    golden("metrics", {each.name: each.type for each in measured})


def test_recorded_messages(golden, tmp_path):
    recorder = WireRecorder(tmp_path)
    recorder.record("sent", "north-council", "/blindmatch.v1.Match/Open", "blindmatch.v1.OpenRequest", b"abc")
    entries = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    golden("recorded", {"files": sorted(path.name for path in tmp_path.iterdir()), "index": entries})
