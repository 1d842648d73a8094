"""The edge of the node: TLS, the gate before every call, the client, and what all messages share.

TLS is imported first: it sets the lowest TLS version that gRPC will accept before gRPC itself is loaded.
"""

from blindmatch.node.pki import tls

__all__ = ["tls"]
