"""Drafts and batches into a collection's blocks: combined, turned into level digests, sealed."""

import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from blindmatch.node.imports.batch import Batch, build_batch
from blindmatch.node.imports.blocks import BLOCK_RECORDS, ENTITY_BYTES, BlockWriter, StoredRecord
from blindmatch.node.imports.formats.plain_rows import PlainRows
from blindmatch.node.imports.formats.record_drafts import Draft, RowFault, fields_present
from blindmatch.node.imports.statistics import TOO_FEW_FIELDS, ImportStatistics
from blindmatch.node.storage import gc_pause
from blindmatch.node.storage.sealing import Sealer
from blindmatch.protocol import hashing
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage import RecordBuilder, Schema

_TOO_MANY_COMBINATIONS = "combinations of names, dates and addresses over the limit of one record"


def sufficient_field_sets(schema: Schema) -> list[frozenset[str]]:
    """Sets of fields. A record must have all fields of one set, or no key of the schema can find it."""
    field_of = {level.name: level.field for level in schema.levels}
    keys = [frozenset(field_of[level] for level in key.levels) for key in schema.keys]
    # Keys that a model proposes have two fields at least.
    keys += [
        frozenset({one, two}) for one in schema.model.person for two in schema.model.compared if one != two
    ]
    return keys


class RecordWriter:
    """Writes the records of one import into a folder. Call `finish` or `close` at the end.

    Args:
        folder: empty.
        sealer: of collections.
        collection: the new collection's id.
        schema: the linkage schema.
        statistics: counts the records that are not stored.
    """

    def __init__(
        self, folder: Path, sealer: Sealer, collection: str, schema: Schema, statistics: ImportStatistics
    ) -> None:
        self._schema = schema
        self._statistics = statistics
        self._builder = RecordBuilder(schema)
        self._blocks = BlockWriter(folder, sealer, collection, len(schema.levels))
        self._digests = bytearray()
        """Level digests of the records since the last block."""
        keys = sufficient_field_sets(schema)
        self._sufficient = lru_cache(maxsize=None)(lambda present: any(fields <= present for fields in keys))
        # Entities are hashed with a key that exists only during the import.
        self._entity_key = os.urandom(32)

    def check(self, name: str, text: str) -> str:
        """Why the schema cannot use a value, or blank; also blank for a field that it does not compare."""
        return self._builder.fault(name, text)

    def write(self, draft: Draft, file: str) -> None:
        """Store an accepted draft of a file, if a match key can find it and the schema accepts its values."""
        if not self._sufficient(fields_present(draft.parts)):
            self._statistics.warnings[TOO_FEW_FIELDS] += 1
            return
        combined, dropped = self._builder.combine(draft.parts)
        try:
            digests = self._builder.rows(combined)
        except ValueError as error:
            # Importers check each value; a value that only the whole schema refuses is a bad row, too.
            draft.unusable = True
            draft.faults.append(RowFault(file, draft.row, "", str(error)))
            self._statistics.accepts(draft)
            return
        if dropped:
            self._statistics.warnings[_TOO_MANY_COMBINATIONS] += dropped
        # With a bad row the import may be refused, but the remaining rows are read for the report.
        self._digests += digests
        self._blocks.add(
            StoredRecord(draft.reference, draft.facts, draft.provenance),
            draft.handling,
            len(combined),
            self._entity(draft.entity),
        )
        self._flush_if_full()

    def batch(self, plain: PlainRows, kind: str) -> Batch | None:
        """The batch of plain rows, or None if the schema refuses a value: write them one by one, to find which."""
        try:
            return build_batch(plain, self._builder, self._sufficient, self._entities, kind)
        except ValueError:
            return None

    def write_batch(self, batch: Batch, start: int, stop: int) -> None:
        """Store the plain rows `start` to `stop` (excluded) of a batch, in as many blocks as they need."""
        first, last = (int(batch.places[place]) for place in (start, stop))
        while first < last:
            end = min(last, first + BLOCK_RECORDS - self._blocks.pending)
            self._digests += batch.row_digests(first, end)
            entities = batch.entities[first * ENTITY_BYTES : end * ENTITY_BYTES]
            self._blocks.add_lines(batch.lines[first:end], batch.handling[first:end], entities)
            first = end
            self._flush_if_full()

    def _flush_if_full(self) -> None:
        if self._blocks.pending >= BLOCK_RECORDS:
            self._flush()
        if self._blocks.records + self._blocks.pending > LIMITS.records:
            raise InputError(f"the file has more than {LIMITS.records} records", hint="Split the file.")

    def _flush(self) -> None:
        self._blocks.flush(self._builder.array(self._digests))
        self._digests.clear()
        gc_pause.collect_young()

    def _entity(self, text: str) -> bytes:
        """`_entities` of one text."""
        if not text:
            return bytes(ENTITY_BYTES)
        return blake2b(text.encode(), digest_size=ENTITY_BYTES, key=self._entity_key).digest()

    def _entities(self, texts: Sequence[str]) -> bytes:
        """8 bytes for each text, equal for equal texts; zeros for a blank text, a record without an entity."""
        entities = np.zeros((len(texts), ENTITY_BYTES), dtype=np.uint8)
        present = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
        entities[present] = hashing.blake2b_texts(
            [text for text in texts if text], size=ENTITY_BYTES, key=self._entity_key
        )
        return entities.tobytes()

    def close(self) -> None:
        """Close the files, whether `finish` was called or not."""
        self._blocks.close()

    def finish(self) -> tuple[int, int]:
        """Write everything to the disk.

        Returns:
            The number of records, and of their rows of level digests.

        Raises:
            InputError: there are no records.
        """
        self._flush()
        if not self._blocks.records:
            raise InputError(
                "no row can be matched on, so nothing was imported",
                hint="A record needs a company number, or a name or date of birth with another field.",
            )
        self._blocks.finish(self._schema.name, self._schema.digest)
        return self._blocks.records, self._blocks.rows
