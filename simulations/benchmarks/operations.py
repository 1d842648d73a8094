"""The operations of a round on batches of elements, for `bench kernel` and `bench check`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
    """One operation: `make(n)` prepares a batch of n elements and returns the call that is timed."""

    name: str
    make: Callable[[int], Call]
    curve: bool
    """Whether the group backend does it, so that its cost differs between backends."""


def _random(n: int, width: int, seed: int = 1) -> Bytes2D:
    return np.random.default_rng(seed).integers(0, 256, (n, width), dtype=np.uint8)


def _scalars(n: int) -> Bytes2D:
    return group.scalars_from_uniform(_random(n, UNIFORM_BYTES, 2))


def _secret(_n: int) -> Bytes2D:
    return np.ascontiguousarray(_scalars(1)[0])


def _points(n: int) -> Bytes2D:
    """Points, at most 64 different ones: cheap to generate with every backend, and no operation is faster for equal points."""
    distinct = group.from_uniform(_random(min(n, 64), UNIFORM_BYTES, 3))
    return np.ascontiguousarray(np.resize(distinct, (n, distinct.shape[1])))


def bench_context() -> EdgeContext:
    """The context of a round of hits between two agencies."""
    return EdgeContext(
        agreement=hashlib.sha256(b"bench").digest(),
        round_id=bytes(16),
        edge="bench-police-from-bench-council",
        receiver="bench-police",
        sender="bench-council",
        disclosure=Disclosure.HITS,
        verified=False,
        keys_digest=bytes(32),
    )


def _uniform(n: int) -> Bytes2D:
    return _random(n, UNIFORM_BYTES)


def _elements(n: int) -> Bytes2D:
    return _random(n, ELEMENT_BYTES)


def _calls(call: Callable[..., object], *prepare: Callable[[int], Bytes2D]) -> Callable[[int], Call]:
    """Prepares the arguments of a call for n elements."""
    return lambda n: partial(call, *(each(n) for each in prepare))


def _tags(n: int) -> Call:
    return partial(derive_tags, _random(n, OUTPUT_BYTES), bench_context())


def _blinds(n: int) -> Call:
    return partial(Expander(bytes(SEED_BYTES)).scalars, "bench", 0, n)


def _sorted(rows: Bytes2D) -> Bytes2D:
    return np.concatenate(list(in_order(rows)))


def _looks_up(n: int) -> Call:
    tags, table = _random(n, 16, 4), _random(n, 16, 5)
    return partial(find, tags, np.ascontiguousarray(table[_sorted(table)]))


OPERATIONS = (
    Operation("map to the group", _calls(group.from_uniform, _uniform), curve=True),
    Operation("decode and check", _calls(group.check, _points), curve=True),
    Operation("multiply, one scalar", _calls(group.multiply, _points, _secret), curve=True),
    Operation("multiply, a scalar each", _calls(group.multiply_each, _points, _scalars), curve=True),
    Operation("map and multiply, one scalar", _calls(group.multiply_uniform, _uniform, _secret), curve=True),
    Operation(
        "map and multiply, a scalar each", _calls(group.multiply_uniform_each, _uniform, _scalars), curve=True
    ),
    Operation("multiply the generator", _calls(group.multiply_base, _scalars), curve=True),
    Operation("add", _calls(group.add, _points, _points), curve=True),
    Operation("weighted sum (proofs)", _calls(group.combine, _scalars, _points), curve=True),
    Operation("reduce a scalar", _calls(group.scalars_from_uniform, _uniform), curve=True),
    Operation("invert scalars", _calls(group.scalar_invert, _scalars), curve=True),
    Operation(
        "hash and map an input",
        _calls(partial(oprf.hash_to_group, mode=oprf.Mode.OPRF), _elements),
        curve=True,
    ),
    Operation("finalize", _calls(oprf.finalize, _elements, _points), curve=False),
    Operation("tag", _tags, curve=False),
    Operation("blinds from the seed", _blinds, curve=False),
    Operation("sort the table", _calls(_sorted, partial(_random, width=16)), curve=False),
    Operation("look up", _looks_up, curve=False),
)
"""The cost of operations with `curve=False` does not depend on the backend, or hardly."""
