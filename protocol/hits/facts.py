"""The facts that travel with a hit: chosen by the agreement, compact JSON, padded to one size.

    {"records": [{"<fact>": "<text>", …}, …], "more": 2}

One entry per record of the sender that stands behind the element, while they fit; `more` counts the rest, and `cut`
says that the last entry had to lose facts. Made for every element alike, so nothing depends on hits.
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
        names: the agreement's list of facts; all else stays here.
        size: bytes, the agreement's `fact_bytes`.
    """
    chosen = [{name: facts[name] for name in names if facts.get(name)} for facts in records]
    kept: dict[str, Any] = {"records": []}
    for count in range(len(chosen), 0, -1):
        kept = {"records": chosen[:count]}
        if count < len(chosen):
            kept["more"] = len(chosen) - count
        if len(_json(kept)) <= size:
            return _json(kept).ljust(size, b"\0")
    # Not even one record fits: the agreement's last facts go first.
    for fewer in range(len(names), -1, -1):
        first = {name: text for name, text in chosen[0].items() if name in names[:fewer]} if chosen else {}
        kept = {"records": [first] if first else [], "cut": 1}
        if len(chosen) > 1:
            kept["more"] = len(chosen) - 1
        if len(_json(kept)) <= size:
            return _json(kept).ljust(size, b"\0")
    return bytes(size)


def unpack(payload: bytes) -> tuple[list[dict[str, str]], int]:
    """What `pack` made: the records' facts, and how many more records there are.

    Raises:
        PeerError: BAD_TAGS, for anything else; the other side sealed it, so it is the other side's fault.
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


class Facts:
    """A `FactSource` over a collection: element index -> padded facts.

    Args:
        tokens: the sender's own, made distinct.
        facts_of: the facts of one of the selected records, by its place among them.
        names: the agreement's list.
        size: bytes per element.
        in_order: the order in which records that share an element tell their facts; else the collection's.
    """

    def __init__(
        self,
        tokens: Tokens,
        facts_of: Callable[[int], Mapping[str, str]],
        names: Sequence[str],
        size: int,
        *,
        in_order: Callable[[Indices], Indices] = lambda records: records,
    ) -> None:
        self._in_order = in_order
        self._tokens = tokens
        self._facts_of = facts_of
        self._names = names
        self._size = size

    def take(self, indices: Indices) -> Bytes2D:
        """(m, size) uint8; zeros for fillers, which cannot be hit."""
        out = np.zeros((len(indices), self._size), dtype=np.uint8)
        for row, element in enumerate(indices.tolist()):
            if self._tokens.key_index[element] != DUMMY:
                records = (self._facts_of(int(r)) for r in self._in_order(self._tokens.records_of(element)))
                out[row] = np.frombuffer(pack(records, self._names, self._size), dtype=np.uint8)
        return out
