"""Compiled match keys shared by all nodes of a test session, whatever process they run in.

Two nodes compile the same keys from the same rates, and the tests compile the keys of the same lists again and again, at a third of a
second of CPU time each. The keys that `compile_keys` gave once are read from a folder the next time. Tests of the compiler call it directly.
"""

import hashlib
import os
from pathlib import Path

from blindmatch.node.agreements import match_keys
from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol.linkage import CompiledKeys, CompileTerms, Rates, Schema, compile_keys
from blindmatch.protocol.linkage.compiled_keys import dump, load

FOLDER = "TEST_COMPILED_KEYS"
"""The environment variable that names the folder, for the processes that the tests start."""


def share_compiled_keys(folder: Path) -> None:
    """Have every compilation of a node in this process go through the folder."""

    def compiled(
        schema: Schema,
        receiver: Rates,
        sender: Rates,
        receiver_records: int,
        sender_records: int,
        terms: CompileTerms,
    ) -> CompiledKeys:
        inputs = (receiver.encode().hex(), sender.encode().hex(), receiver_records, sender_records, terms)
        name = hashlib.sha256(repr((schema.digest.hex(), inputs)).encode()).hexdigest()
        path = folder / f"{name}.json"
        if path.exists():
            return load(path.read_bytes(), schema)
        keys = compile_keys(schema, receiver, sender, receiver_records, sender_records, terms)
        write_atomically(path, dump(keys))
        return keys

    os.environ[FOLDER] = str(folder)
    vars(match_keys)["compile_keys"] = compiled


def share_in_process() -> None:
    """The same in a process that a test has started, if it shares its keys."""
    if folder := os.environ.get(FOLDER):
        share_compiled_keys(Path(folder))
