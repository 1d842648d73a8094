"""What a round computes per element, one operation at a time on batches: for `bench kernel` and for the guard."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import group, oprf
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits.lookup import find, in_order
from blindmatch.protocol.hits.tags import derive_tags
from blindmatch.protocol.limits import OUTPUT_BYTES, SEED_BYTES, UNIFORM_BYTES
from blindmatch.protocol.linkage import ELEMENT_BYTES
from blindmatch.protocol.session.messages import EdgeContext

Bytes2D = npt.NDArray[np.uint8]
Call = Callable[[], object]


@dataclass(frozen=True)
class Operation:
    """One operation: `make(n)` prepares a batch of n elements and gives what is to be timed."""

    name: str
    make: Callable[[int], Call]
    curve: bool
    """Whether it is the group backend's work, and so differs between backends."""


def _random(n: int, width: int, seed: int = 1) -> Bytes2D:
    return np.random.default_rng(seed).integers(0, 256, (n, width), dtype=np.uint8)


def _scalars(n: int) -> Bytes2D:
    return group.scalars_from_uniform(_random(n, UNIFORM_BYTES, 2))


def _secret() -> Bytes2D:
    return np.ascontiguousarray(_scalars(1)[0])


def _points(n: int) -> Bytes2D:
    """Points, at most 64 different ones: cheap to make with every backend, and no operation takes less for equal ones."""
    distinct = group.from_uniform(_random(min(n, 64), UNIFORM_BYTES, 3))
    return np.ascontiguousarray(np.resize(distinct, (n, distinct.shape[1])))


def map_multiply(uniform: Bytes2D, scalar: Bytes2D) -> Bytes2D:
    """64 uniform bytes to the group, times one secret scalar: in one step."""
    return group.multiply_uniform(uniform, scalar)


def map_multiply_each(uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
    """The same with a scalar for each."""
    return group.multiply_uniform_each(uniform, scalars)


def _context() -> EdgeContext:
    return EdgeContext(
        agreement=hashlib.sha256(b"bench").digest(),
        round_id=bytes(16),
        edge="bench-police-from-bench-council",
        receiver="bench-police",
        sender="bench-council",
        disclosure=Disclosure.HITS,
        verified=False,
        keys_digest=bytes(32),
        receiver_elements=None,
        sender_elements=None,
        fact_bytes=0,
    )


def _on_uniform(call: Callable[[Bytes2D], object]) -> Callable[[int], Call]:
    def make(n: int) -> Call:
        uniform = _random(n, UNIFORM_BYTES)
        return lambda: call(uniform)

    return make


def _on_points(call: Callable[[Bytes2D], object]) -> Callable[[int], Call]:
    def make(n: int) -> Call:
        points = _points(n)
        return lambda: call(points)

    return make


def _shared(
    call: Callable[[Bytes2D, Bytes2D], object], prepare: Callable[[int], Bytes2D]
) -> Callable[[int], Call]:
    def make(n: int) -> Call:
        batch, secret = prepare(n), _secret()
        return lambda: call(batch, secret)

    return make


def _each(
    call: Callable[[Bytes2D, Bytes2D], object], prepare: Callable[[int], Bytes2D]
) -> Callable[[int], Call]:
    def make(n: int) -> Call:
        batch, scalars = prepare(n), _scalars(n)
        return lambda: call(batch, scalars)

    return make


def _uniform(n: int) -> Bytes2D:
    return _random(n, UNIFORM_BYTES)


def _generates(n: int) -> Call:
    scalars = _scalars(n)
    return lambda: group.multiply_base(scalars)


def _inverts(n: int) -> Call:
    scalars = _scalars(n)
    return lambda: group.scalar_invert(scalars)


def _hashes(n: int) -> Call:
    inputs = _random(n, ELEMENT_BYTES)
    return lambda: oprf.hash_to_group(inputs, oprf.Mode.OPRF)


def _finalizes(n: int) -> Call:
    inputs, points = _random(n, ELEMENT_BYTES), _points(n)
    return lambda: oprf.finalize(inputs, points)


def _tags(n: int) -> Call:
    outputs, context = _random(n, OUTPUT_BYTES), _context()
    return lambda: derive_tags(outputs, context)


def _blinds(n: int) -> Call:
    expander = Expander(bytes(SEED_BYTES))
    return lambda: expander.scalars("bench", 0, n)


def _sorts(n: int) -> Call:
    rows = _random(n, 16)
    return lambda: np.concatenate(list(in_order(rows)))


def _looks_up(n: int) -> Call:
    tags, table = _random(n, 16, 4), _random(n, 16, 5)
    table = np.ascontiguousarray(table[np.concatenate(list(in_order(table)))])
    return lambda: find(tags, table)


OPERATIONS = (
    Operation("map to the group", _on_uniform(group.from_uniform), curve=True),
    Operation("decode and check", _on_points(group.check), curve=True),
    Operation("multiply, one scalar", _shared(group.multiply, _points), curve=True),
    Operation("multiply, a scalar each", _each(group.multiply_each, _points), curve=True),
    Operation("map and multiply, one scalar", _shared(map_multiply, _uniform), curve=True),
    Operation("map and multiply, a scalar each", _each(map_multiply_each, _uniform), curve=True),
    Operation("multiply the generator", _generates, curve=True),
    Operation("add", _on_points(lambda points: group.add(points, points)), curve=True),
    Operation(
        "weighted sum (proofs)",
        _each(lambda points, scalars: group.combine(scalars, points), _points),
        curve=True,
    ),
    Operation("reduce a scalar", _on_uniform(group.scalars_from_uniform), curve=True),
    Operation("invert scalars", _inverts, curve=True),
    Operation("hash and map an input", _hashes, curve=True),
    Operation("finalize", _finalizes, curve=False),
    Operation("tag", _tags, curve=False),
    Operation("blinds from the seed", _blinds, curve=False),
    Operation("sort the table", _sorts, curve=False),
    Operation("look up", _looks_up, curve=False),
)
"""Parts with `curve=False` depend on no backend, or hardly."""
