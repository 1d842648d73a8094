"""Record every decrypted protobuf message that a node sends or receives, so that its traffic can be audited.

One file per message and one `index.jsonl`. For demonstrations and audits of the software. The messages hold only
data that the other side received anyway, but a node in operation does not record them.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from google.protobuf.message import DecodeError

Direction = Literal["sent", "received"]


class WireRecorder:
    """Writes messages below one folder; may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._index = folder / "index.jsonl"
        self._lock = threading.Lock()
        self._count = len(self._index.read_text().splitlines()) if self._index.exists() else 0

    def record(self, direction: Direction, peer: str, method: str, kind: str, message: bytes) -> None:
        """Store one message.

        Args:
            direction: seen from this node.
            peer: the other agency.
            method: the gRPC method's full name, such as `/blindmatch.v1.Match/Open`.
            kind: the message's full protobuf name, such as `blindmatch.v1.OpenRequest`.
            message: its exact bytes.
        """
        with self._lock:
            self._count += 1
            name = f"{self._count:06d}-{direction}-{kind.rpartition('.')[2]}.bin"
            (self.folder / name).write_bytes(message)
            entry = {
                "sequence": self._count,
                "direction": direction,
                "peer": peer,
                "method": method,
                "type": kind,
                "bytes": len(message),
                "sha256": hashlib.sha256(message).hexdigest(),
                "file": name,
            }
            with self._index.open("a", encoding="ascii") as index:
                index.write(json.dumps(entry) + "\n")


UNREADABLE = object()
"""The content of a message without bytes."""


class WatchedChannel:
    """A gRPC channel whose stubs report each message's exact bytes, in and out.

    Wraps the serialisers of the generated stubs, so that no message is encoded twice.
    """

    def __init__(self, channel: Any, seen: Callable[[Direction, str, str, bytes], None]) -> None:
        self._channel = channel
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        made = getattr(self._channel, name)
        if name not in {"unary_unary", "unary_stream", "stream_unary", "stream_stream"}:
            return made

        def watched(method: str, request_serializer: Any, response_deserializer: Any, **rest: Any) -> Any:
            def serialize(message: Any) -> bytes:
                data: bytes = request_serializer(message)
                self._seen("sent", method, message.DESCRIPTOR.full_name, data)
                return data

            def deserialize(data: bytes) -> Any:
                try:
                    message = response_deserializer(data)
                except DecodeError:  # gRPC would log it and go on with None
                    self._seen("received", method, "unreadable", data)
                    return UNREADABLE
                self._seen("received", method, message.DESCRIPTOR.full_name, data)
                return message

            return made(method, request_serializer=serialize, response_deserializer=deserialize, **rest)

        return watched
