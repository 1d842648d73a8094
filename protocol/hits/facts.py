"""The facts that are released with a hit: chosen by the agreement, compact JSON, padded to one size.

    {"records": [{"<fact>": "<text>", …}, …], "more": 2}

There is one entry per record of the sender that has the element, as many as fit. `more` counts the other records. `cut`
states that the last entry lost facts. Every element gets such a payload, so nothing depends on hits.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.linkage import DUMMY, Tokens

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


def pack(records: Iterable[Mapping[str, str]], names: Sequence[str], size: int) -> bytes:
    """At most `size` bytes, padded with zeros to exactly `size`.

    Args:
        records: the facts of each record that shares the element.
        names: the agreement's list of facts; no other fact is released.
        size: bytes, the agreement's `fact_bytes`.
    """
    chosen = [{name: facts[name] for name in names if facts.get(name)} for facts in records]
    content: dict[str, Any] = {"records": []}
    for count in range(len(chosen), 0, -1):
        content = {"records": chosen[:count]}
        if count < len(chosen):
            content["more"] = len(chosen) - count
        if len(_json(content)) <= size:
            return _json(content).ljust(size, b"\0")
    # Not even one record fits: leave out the agreement's last facts first.
    for fewer in range(len(names), -1, -1):
        first = {name: text for name, text in chosen[0].items() if name in names[:fewer]} if chosen else {}
        content = {"records": [first] if first else [], "cut": 1}
        if len(chosen) > 1:
            content["more"] = len(chosen) - 1
        if len(_json(content)) <= size:
            return _json(content).ljust(size, b"\0")
    return bytes(size)


def unpack(payload: bytes) -> tuple[list[dict[str, str]], int]:
    """Read a payload of `pack`: the records' facts, and the number of further records.

    Raises:
        PeerError: BAD_TAGS, it is not such a payload; the other side sealed it, so it is at fault.
    """
    text = payload.rstrip(b"\0")
    if not text:
        return [], 0
    try:
        content = json.loads(text)
        records, more = content["records"], content.get("more", 0)
        good = isinstance(more, int) and all(
            isinstance(name, str) and isinstance(value, str)
            for record in records
            for name, value in record.items()
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise PeerError(PeerCode.BAD_TAGS, "the facts of a hit are not in the agreed form")
    return [dict(record) for record in records], more


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


FactsOrder = Callable[[Indices], Indices]
"""Puts records that share an element, by their place among the selected ones, in the order of their facts."""


def as_stored(records: Indices) -> Indices:
    """The order of the collection."""
    return records


class Facts:
    """A `FactSource` over a collection: element index -> padded facts.

    Args:
        tokens: the sender's own, each once.
        facts_of: the facts of one of the selected records, by its place among them.
        names: the agreement's list.
        size: bytes per element.
        in_order: the order of the facts of records that share an element.
    """

    def __init__(
        self,
        tokens: Tokens,
        facts_of: Callable[[int], Mapping[str, str]],
        names: Sequence[str],
        size: int,
        *,
        in_order: FactsOrder = as_stored,
    ) -> None:
        self._in_order = in_order
        self._tokens = tokens
        self._facts_of = facts_of
        self._names = names
        self._size = size

    def take(self, indices: Indices) -> Bytes2D:
        """(m, size) uint8; zeros for dummy elements, which cannot be hit."""
        out = np.zeros((len(indices), self._size), dtype=np.uint8)
        for row, element in enumerate(indices.tolist()):
            if self._tokens.key_index[element] != DUMMY:
                records = (self._facts_of(int(r)) for r in self._in_order(self._tokens.records_of(element)))
                out[row] = np.frombuffer(pack(records, self._names, self._size), dtype=np.uint8)
        return out
