"""An open epoch as this node stores it: a row with its secret, and its lists and match keys in sealed files."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, compile_edge
from blindmatch.node.rounds.standing.epoch_files import Arrays, EpochFiles
from blindmatch.node.storage.store import EpochRow
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import OUTPUT_BYTES, SEED_BYTES
from blindmatch.protocol.linkage import load_schema
from blindmatch.protocol.linkage.compiled_keys import dump as dump_keys
from blindmatch.protocol.linkage.compiled_keys import load as load_keys
from blindmatch.protocol.standing.epoch import Epoch
from blindmatch.protocol.standing.list_updates import ReceiverList
from blindmatch.protocol.standing.record_list import RecordList
from blindmatch.protocol.standing.release_plan import ReleasedList
from blindmatch.protocol.standing.statements import EpochState, ListSize
from blindmatch.protocol.standing.tag_table import TagTable

_KEYS = "keys"
"""The array of the compiled keys. They are stored because compiling them takes as long as a small delta round."""

_LIST_ARRAYS = ("digests", "tags", "key_index", "flags", "outputs")


@dataclass(frozen=True)
class StoredEpoch:
    """An open epoch. Its lists are read from the disk on demand."""

    row: EpochRow
    """With the secret."""
    agreed: CompiledEdge
    """The match keys and statements of the opening round."""
    secrets: Epoch
    edge: Edge
    files: EpochFiles

    @property
    def version(self) -> bytes:
        """The current version of the lists, 16 bytes: the id of the last round that closed."""
        return self.row.rounds[-1]

    @property
    def base(self) -> EpochState:
        """The epoch's state and list sizes, from which a delta round starts."""
        row, agreed = self.row, self.agreed
        return EpochState(
            epoch=row.epoch,
            number=row.number,
            state=row.state,
            receiver=ListSize(row.receiver_records, agreed.receiver_tokens, self.edge.receiver.max_records),
            sender=ListSize(row.sender_records, agreed.sender_tokens, self.edge.sender.max_records),
            public_key=row.public_key,
        )

    def sender_list(self) -> ReleasedList:
        """The sender's own list. Raises as `EpochFiles.read`."""
        arrays = self.files.read(self.version)
        return ReleasedList(_record_list(arrays, self.agreed.sender_tokens), arrays["fillers"])

    @cached_property
    def receiver_lists(self) -> ReceiverList:
        """The receiver's own list, and the sender's table. Raises as `EpochFiles.read`."""
        arrays = self.files.read(self.version)
        own = _record_list(arrays, self.agreed.receiver_tokens)
        return ReceiverList(own, TagTable(arrays["table"], arrays["came"]))


class EpochCache:
    """Open epochs, each loaded once for each version of its lists."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._loaded: dict[tuple[bytes, str], StoredEpoch] = {}

    def find(self, epoch: bytes, edge: str) -> StoredEpoch | None:
        """An epoch after its last closed round, or None when it has ended. Raises as `load`."""
        node = self._node
        row = node.store.find_epoch(epoch, edge)
        if row is None or not row.open:
            self._loaded.pop((epoch, edge), None)
            return None
        stored = self._loaded.get((epoch, edge))
        if stored is None or stored.row != row:
            agreement = registry.find(node, row.agreement_id).agreement
            stored = self._loaded[epoch, edge] = load(node, agreement, row)
        return stored


def load(node: Node, agreement: Agreement, row: EpochRow) -> StoredEpoch:
    """An open epoch with its keys and secrets.

    Raises:
        StoreError: the epoch has ended, its opening round is not in the store, or its files are lost or damaged.
    """
    if not row.secret:
        raise StoreError("the epoch has ended", hint="Run a round: it opens a new epoch.")
    files = files_of(node, row.epoch, row.edge)
    keys = load_keys(files.read_array(row.rounds[-1], _KEYS).tobytes(), load_schema(agreement.schema))
    agreed = compile_edge(agreement, node.store.edge(row.epoch, row.edge), keys)
    local, key_seed = row.secret[:SEED_BYTES], row.secret[SEED_BYTES:]
    epoch = Epoch(agreed.context, local, key_seed)
    return StoredEpoch(row, agreed, epoch, agreement.edge(row.edge), files)


def files_of(node: Node, epoch: bytes, edge: str) -> EpochFiles:
    """The sealed files of an epoch (16 bytes) on an edge."""
    return EpochFiles(node.epochs_dir, node.keys.sealer, epoch, edge)


def derive_local_secret(seed: bytes) -> bytes:
    """This side's own secret of an epoch, 32 bytes, from the seed of the round that opens it."""
    expander = Expander(seed)
    try:
        return expander.stream("epoch-local", 0, SEED_BYTES)
    finally:
        expander.wipe()


def write_sender_list(
    files: EpochFiles, version: bytes, released: ReleasedList, agreed: CompiledEdge
) -> None:
    """Write a version of the sender's list, and the epoch's match keys. Raises as `EpochFiles.write`."""
    _write(files, version, agreed, released.own, {"fillers": released.padding_tags})


def write_receiver_lists(
    files: EpochFiles, version: bytes, lists: ReceiverList, agreed: CompiledEdge
) -> None:
    """Write a version of the receiver's list and the sender's table, and the match keys. Raises as `EpochFiles.write`."""
    _write(files, version, agreed, lists.own, {"table": lists.table.rows, "came": lists.table.added_in})


def _write(files: EpochFiles, version: bytes, agreed: CompiledEdge, own: RecordList, others: Arrays) -> None:
    keys = np.frombuffer(dump_keys(agreed.compiled), dtype=np.uint8)
    files.write(version, {**{name: getattr(own, name) for name in _LIST_ARRAYS}, **others, _KEYS: keys})


def _record_list(arrays: Arrays, slots: int) -> RecordList:
    stored = {name: arrays[name] for name in _LIST_ARRAYS}
    return RecordList(slots, **{**stored, "outputs": arrays["outputs"].reshape(-1, OUTPUT_BYTES)})
