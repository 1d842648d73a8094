"""The operations: what a person or a program can ask of a node.

The command line and every other interface call these functions and nothing deeper.

Conventions:

- One module per noun, one function per operation, named by its verb: `rounds.start`, `audit.verify`. Functions below an
  operation live in the rooms below (`rounds`, `agreements`, `imports`, ...); a module here holds little else. Its
  `__all__` lists the names of those rooms that callers need, beside everything public that it defines.
- The first argument is the open `Node` (or the data folder, for the few operations that need no keys). The others are
  plain: text, numbers, paths, enumerations, all keyword-only after the noun's own id. Ids are text in hexadecimal
  digits, and their first digits are enough; an operation resolves them itself. An interface that must name the same
  object twice resolves it once with `find`.
- An operation checks, acts and writes its audit entry; no caller writes one. The entry comes before an act that cannot
  be undone: a crash can duplicate an entry but never lose one.
- The result is a frozen dataclass (or a tuple of them) of plain values, defined here or in the room below. Its method
  `data()` gives the values that JSON has, with the names that `--json` prints; text for people is an interface's task.
- A result has room for what this node does not know. Such a value is None, and a `state` beside it gives the reason
  (not started, between others, withheld, erased); it is never 0, "" or an empty list.
- A failure is a `BlindmatchError`, with a hint that an administrator understands. A result that reports a problem (an
  invalid signature, an edge that failed) is a result, not an error.
- An operation that calls other nodes is a coroutine. All others block and are quick; an event loop runs them in a
  thread. Progress goes to a callback, which is called in the event loop.
- Time comes from `node.clock`.
- Nothing here prints, prompts, or imports typer or rich. `choices` holds the enumerations that a caller needs before it
  calls; it imports nothing heavy. `operations.rounds` and the other modules are imported when they are first used.
- An operation that needs a passphrase takes a function that gives it, and calls it after the checks that need none.
- Docstrings state what is special. Everywhere, `home` is a node's data folder and `out` a file to write. `agreement`,
  `round_id` and `edge` are ids; an empty `round_id` is the newest round, an empty `edge` every edge. `justification` is
  the reason that this node's audit log shows, and `offline` means that no other node is contacted.
- `Raises` omits what every operation can raise: StoreError for an unknown agreement or collection, for damaged stored
  data and for a database that cannot be used; ConfigError for an unknown or ambiguous round id and for a folder without
  a node or with wrong settings; LocalError on a node that has taken part in no round; KeysError for a wrong passphrase
  and for missing or damaged keys; InputError for a file that cannot be read or written.
"""

import importlib
from typing import TYPE_CHECKING, Any

from blindmatch.node.storage import gc_pause

if TYPE_CHECKING:
    import blindmatch.node.operations.agreements
    import blindmatch.node.operations.audit
    import blindmatch.node.operations.certificates
    import blindmatch.node.operations.checks
    import blindmatch.node.operations.collections
    import blindmatch.node.operations.epochs
    import blindmatch.node.operations.keys
    import blindmatch.node.operations.linkage
    import blindmatch.node.operations.nodes
    import blindmatch.node.operations.rounds  # noqa: F401 - for type checkers: `operations.rounds` is this module
else:

    def __getattr__(name: str) -> Any:
        """Import a module of operations on first use."""
        if name.startswith("_"):
            raise AttributeError(name)
        with gc_pause.pause():
            return importlib.import_module(f"{__name__}.{name}")
