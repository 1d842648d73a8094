"""The recorder of decrypted messages: exact bytes, an index that says what they are."""

import hashlib
import json

from blindmatch.node.transport.message_recorder import UNREADABLE, WatchedChannel, WireRecorder
from blindmatch.proto.v1 import match_pb2


def test_every_message_is_a_file_and_a_line(tmp_path):
    recorder = WireRecorder(tmp_path / "wire")
    recorder.record("sent", "north", "/s/M", "blindmatch.v1.OpenRequest", b"abc")
    recorder = WireRecorder(tmp_path / "wire")  # a restarted process goes on counting
    recorder.record("received", "north", "/s/M", "blindmatch.v1.OpenReply", b"")
    lines = [json.loads(line) for line in (tmp_path / "wire" / "index.jsonl").read_text().splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2]
    assert [line["file"] for line in lines] == [
        "000001-sent-OpenRequest.bin",
        "000002-received-OpenReply.bin",
    ]
    assert lines[0]["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert (tmp_path / "wire" / lines[0]["file"]).read_bytes() == b"abc"


class Channel:
    """Hands the serialisers back instead of calling anybody."""

    def unary_unary(self, method, request_serializer, response_deserializer, **_):
        return method, request_serializer, response_deserializer

    def get_state(self):
        return "idle"


def test_a_watched_channel_reports_exact_bytes_once():
    seen = []
    channel = WatchedChannel(Channel(), lambda *event: seen.append(event))
    _, serialize, deserialize = channel.unary_unary(
        "/s/M",
        request_serializer=match_pb2.Progress.SerializeToString,
        response_deserializer=match_pb2.Progress.FromString,
    )
    raw = serialize(match_pb2.Progress(done=1, total=2))
    assert deserialize(raw) == match_pb2.Progress(done=1, total=2)
    assert deserialize(b"\xff\xff") is UNREADABLE
    assert seen == [
        ("sent", "/s/M", "blindmatch.v1.Progress", raw),
        ("received", "/s/M", "blindmatch.v1.Progress", raw),
        ("received", "/s/M", "unreadable", b"\xff\xff"),
    ]
    assert channel.get_state() == "idle"
