"""What the checks of an agreement's fields share: the path of a wrong field, and values that must differ."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from blindmatch.protocol.errors import AgreementError


@contextmanager
def at(path: str) -> Iterator[None]:
    """Put `path` before the field of any `AgreementError` raised inside: `max_records` becomes `edges[1].sender.max_records`."""
    try:
        yield
    except AgreementError as error:
        joined = path + error.field if error.field.startswith("[") else f"{path}.{error.field}"
        message = error.message.removeprefix(f"{error.field}: ")
        raise AgreementError(joined, message, hint=error.hint) from None


def distinct(field: str, values: Iterable[object], part: str = "") -> None:
    """No value twice; the error names the later one: `field[i]`, and its `part`."""
    seen: dict[object, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            suffix = f".{part}" if part else ""
            raise AgreementError(f"{field}[{index}]{suffix}", f"is the same as in {field}[{seen[value]}]")
        seen[value] = index
