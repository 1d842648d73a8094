"""Protobuf on one side, the protocol's dataclasses on the other; nothing else touches both.

`agreement`, `match` and `threshold` hold one pair of functions per message: `x(...)` makes it, `read_x(message)` reads it.
Reading is strict: a message with a field that we do not know, of another version, of the wrong size or with a part
missing becomes a `PeerError` before any of it is used. `status` is the one table between our codes and gRPC's.
"""

from blindmatch.node import tls  # before gRPC is imported: it fixes the least TLS version
from blindmatch.node.convert import agreement, match, parts, status, strict, threshold

__all__ = ["agreement", "match", "parts", "status", "strict", "threshold", "tls"]
