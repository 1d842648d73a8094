"""What a dishonest peer puts on the wire: messages with other values in them, and points that are none."""

from typing import Any

IDENTITY = bytes(32)
NOT_CANONICAL = b"\xff" * 32


def with_fields(message: Any, **changes: object) -> Any:
    """A copy of a protobuf message with other values in the header (`header__x`) or in itself."""
    made = type(message).FromString(message.SerializeToString())
    for name, value in changes.items():
        owner = made.header if name.startswith("header__") else made
        setattr(owner, name.removeprefix("header__"), value)
    return made
