"""What a backend without fused operations and without threads of its own inherits."""

from blindmatch.protocol.group.backend import Backend, Bytes1D, Bytes2D
from blindmatch.protocol.group.encoding_checks import refuse_identity


class Composed:
    """Fused operations out of the plain ones; one thread; checks left to `blindmatch.protocol.group`."""

    strict = False

    def use_threads(self, count: int | None) -> None:
        """Change nothing: the calling thread computes."""

    def multiply_uniform(self: Backend, uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Derive, encode, refuse the identity, decode, multiply."""
        return self.multiply(refuse_identity(self.from_uniform(uniform)), scalar)

    def multiply_uniform_each(self: Backend, uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Derive, encode, refuse the identity, decode, multiply."""
        return self.multiply_each(refuse_identity(self.from_uniform(uniform)), scalars)
