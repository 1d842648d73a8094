"""What a node answers over gRPC, and who may ask.

`identity` reads the caller from its certificate, `policy` lists every method, `gate` stands before all of them.
"""

from blindmatch.node import tls

__all__ = ["tls"]
