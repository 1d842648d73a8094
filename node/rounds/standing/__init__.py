"""Standing agreements on this node: the collection as lists are made from it, what an epoch keeps, and when it ends."""

from blindmatch.node.rounds.standing.collection_records import CollectionRecords
from blindmatch.node.rounds.standing.epoch_files import EpochFiles
from blindmatch.node.rounds.standing.epochs import (
    ASIDE,
    StoredEpoch,
    advancing,
    begin,
    clear_others,
    clear_versions,
    collection_for,
    current,
    end,
    end_all,
    keep_received,
    keep_sent,
    kept,
    local_secret,
    of_round,
    retire,
    stands,
    told,
    vault_of,
)

__all__ = [
    "ASIDE",
    "CollectionRecords",
    "EpochFiles",
    "StoredEpoch",
    "advancing",
    "begin",
    "clear_others",
    "clear_versions",
    "collection_for",
    "current",
    "end",
    "end_all",
    "keep_received",
    "keep_sent",
    "kept",
    "local_secret",
    "of_round",
    "retire",
    "stands",
    "told",
    "vault_of",
]
