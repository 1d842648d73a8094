"""The base class of backends without fused operations and without threads."""

from blindmatch.protocol.group.backend import Backend, Bytes1D, Bytes2D
from blindmatch.protocol.group.encoding_checks import refuse_identity


class Composed:
    """Derives the fused operations from the plain ones; one thread; `blindmatch.protocol.group` makes the checks."""

    strict = False

    def use_threads(self, count: int | None) -> None:
        """Do nothing: the calling thread computes."""

    def multiply_uniform(self: Backend, uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Derive, encode, refuse the identity, decode, multiply."""
        return self.multiply(refuse_identity(self.from_uniform(uniform)), scalar)

    def multiply_uniform_each(self: Backend, uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Derive, encode, refuse the identity, decode, multiply."""
        return self.multiply_each(refuse_identity(self.from_uniform(uniform)), scalars)
