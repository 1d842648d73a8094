"""Structured logs: JSON for machines, a readable console for people. Neither contains a secret.

Only numbers, short texts and other plain values are written; bytes are replaced by their size, and anything else by its type's name.
In this code, records' values and key material are never plain values, so they cannot reach a line.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

LONGEST_TEXT = 500
"""Characters; a longer value is cut, so that error messages cannot fill a disk."""


def only_plain_values(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: numbers and short texts pass, bytes show their size, the rest its type."""
    for key, value in event.items():
        if isinstance(value, bool | int | float) or value is None:
            continue
        if isinstance(value, str):
            event[key] = value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
        elif isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"<{len(value)} bytes>"
        else:
            event[key] = f"<{type(value).__name__}>"
    return event


def _stderr(*_: Any) -> structlog.WriteLogger:
    """The current stderr, which a program or a test may have replaced."""
    return structlog.WriteLogger(sys.stderr)


def configure(
    *, level: str = "info", form: Literal["json", "console"] = "console", stream: TextIO | None = None
) -> None:
    """Set up logging for this process; results go to stdout, so logs go to stderr."""
    out = stream or sys.stderr
    render: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_plain_values,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream) if stream else _stderr,
        cache_logger_on_first_use=False,
    )


if not structlog.is_configured():
    # Until a program says otherwise: warnings only, and never among the results on stdout.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            only_plain_values,
            structlog.processors.KeyValueRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=_stderr,
    )


def logger(**bound: str | int) -> Any:
    """A logger that carries `bound` in every line."""
    return structlog.get_logger().bind(**bound)
