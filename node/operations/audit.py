"""Operations on the audit log: list, verify, export."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.storage import audit_log
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import HEAD_NAME, Problem, read_head, read_heads
from blindmatch.node.storage.files import write_output
from blindmatch.node.storage.store import AuditRow
from blindmatch.protocol.errors import StoreError

__all__ = ["AuditRow"]


@dataclass(frozen=True)
class AuditVerification:
    """Every sign that the log was changed."""

    agency: str
    entries: int
    problems: tuple[Problem, ...]

    @property
    def intact(self) -> bool:
        """No problem was detected."""
        return not self.problems

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "agency": self.agency,
            "entries": self.entries,
            "intact": self.intact,
            "problems": [asdict(problem) for problem in self.problems],
        }


def entries(node: Node, *, event: AuditEvent | None = None, last: int = 50) -> tuple[AuditRow, ...]:
    """The latest entries, of all events or of one, oldest first; `last` is how many, at least 1."""
    rows = [row for row in node.store.audit_rows() if event is None or row.event == event.value]
    return tuple(rows[-last:])


def verify(node: Node, *, heads: Sequence[Path] = ()) -> AuditVerification:
    """Verify the whole log: every hash, every signature, the order, and that no entry is missing.

    `heads` are files that earlier exports wrote and that were stored elsewhere.

    Raises:
        StoreError: the file of a head is missing or damaged.
    """
    exported = [_required_head(path) for path in heads]
    own = read_heads(node.home / HEAD_NAME)
    rows = list(node.store.audit_rows())
    problems = audit_log.verify_log(
        rows, agency=node.agency, public_key=node.keys.identity_public, heads=exported + own
    )
    if not own:
        reason = f"{HEAD_NAME} is missing: entries cut off the end would not be detected"
        problems.append(Problem(len(rows), reason))
    return AuditVerification(node.agency, len(rows), tuple(problems))


def _required_head(path: Path) -> audit_log.Head:
    head = read_head(path)
    if head is None:
        raise StoreError(f"{path}: there is no such head")
    return head


def export(
    node: Node, *, out: Path | None = None, head: Path | None = None, justification: str = ""
) -> tuple[AuditRow, ...]:
    """Every entry of the log, oldest first; the export is itself a disclosure entry, the last one.

    The entries are also written to `out`, one JSON object a line, unless the caller passes them on to its own output. The
    signed head is also written to the file `head`.
    """
    node.audit.append(
        AuditEvent.DISCLOSURE,
        subject="audit log",
        recipient="stdout" if out is None else out.name,
        justification=justification,
        detail={"action": "export"},
    )
    exported = tuple(node.store.audit_rows())
    newest = read_head(node.home / HEAD_NAME)
    if out is not None:
        write_output(out, lines(exported))
    if head is not None and newest is not None:
        write_output(head, newest.to_json() + "\n")
    return exported


def lines(exported: Sequence[AuditRow]) -> str:
    """Entries as an export has them: one JSON object a line."""
    return "".join(json.dumps(entry.data(), sort_keys=True) + "\n" for entry in exported)
