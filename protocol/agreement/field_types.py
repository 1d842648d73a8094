"""What a field of an agreement may hold, declared once where the field is.

A field is declared as `Annotated[type, FieldType, "help"]`. From the declaration come its check in the constructor, its form in
signed bytes and in a draft, and its row in the documentation. `help` is written for the officer who drafts.

Values come as `object`, since a file or a peer can supply a value of any type. Texts are shown on officers' terminals, so
characters that control a terminal or change the direction of writing are refused here.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import Any

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

LAST_SECOND = 253_402_300_799
"""31 December 9999, 23:59:59 UTC: the last second that calendars can print."""

_IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_FACT = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class FieldType(ABC):
    """The values that a field may hold."""

    @abstractmethod
    def check(self, field: str, value: object) -> None:
        """Raise `AgreementError` for `field` unless it may hold `value`."""

    @property
    def allowed(self) -> str:
        """The allowed values in words; empty when the help states them."""
        return ""


@dataclass(frozen=True)
class Text(FieldType):
    """A text that people read: not blank, not too long, no invisible characters except line breaks."""

    longest: int = LIMITS.text_characters
    optional: bool = False

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not isinstance(value, str):
            raise AgreementError(field, "must be a text")
        if self.optional and not value:
            return
        if not value.strip():
            raise AgreementError(field, "is missing", hint="Write the text: every party signs it.")
        if len(value) > self.longest:
            raise AgreementError(field, f"has {len(value)} characters; at most {self.longest} are allowed")
        for position, character in enumerate(value):
            if character != "\n" and unicodedata.category(character) in _INVISIBLE:
                raise AgreementError(
                    field, f"holds an invisible character (U+{ord(character):04X}) at position {position}"
                )

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"up to {self.longest:,} characters"


@dataclass(frozen=True)
class Identifier(FieldType):
    """A name of lower-case letters, digits and inner hyphens; 63 characters make a DNS label."""

    longest: int = 63
    optional: bool = False

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not (self.optional and value == ""):
            words = "lower-case letters, digits and inner hyphens, such as west-force"
            _check_name(field, value, _IDENTIFIER, self.longest, words)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"lower-case letters, digits, inner hyphens; up to {self.longest} characters"


@dataclass(frozen=True)
class FactName(FieldType):
    """The name of a fact: lower-case letters, digits, hyphens and underscores, starting with a letter."""

    allowed = "a fact's name, as the import prints it (`contract_value_gbp`)"

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        words = "lower-case letters, digits, hyphens and underscores, such as contract_value"
        _check_name(field, value, _FACT, 63, words)


@dataclass(frozen=True)
class Whole(FieldType):
    """A whole number between two bounds, both included."""

    lowest: int
    highest: int

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise AgreementError(field, "must be a whole number")
        if not self.lowest <= value <= self.highest:
            raise AgreementError(field, f"is {value}; it must be between {self.lowest} and {self.highest}")

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"{self.lowest:,} to {self.highest:,}"


@dataclass(frozen=True)
class Moment(Whole):
    """A time in seconds since 1970, UTC."""

    lowest: int = 0
    highest: int = LAST_SECOND
    allowed = "a date or a time without quotes; UTC unless it states another time zone"


@dataclass(frozen=True)
class Share(FieldType):
    """A share above 0 and below 1 in whole millionths: what is signed must be the same number for everybody."""

    allowed = "above 0 and below 1, six digits after the point"

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AgreementError(field, "must be a number, such as 0.05")
        if not 0 < value < 1:
            raise AgreementError(field, f"is {value}; it must be above 0 and below 1", hint="0.05 means 5%.")
        if self.millionths(value) < 1 or self.millionths(value) / 1_000_000 != value:
            raise AgreementError(field, "has more than six digits after the point")

    @staticmethod
    def millionths(value: float) -> int:
        """A share as it is written into an agreement."""
        return round(value * 1_000_000)


@dataclass(frozen=True)
class Flag(FieldType):
    """True or false."""

    allowed = "true, false"

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not isinstance(value, bool):
            raise AgreementError(field, "must be true or false")


@dataclass(frozen=True)
class Octets(FieldType):
    """Bytes of one size, not all zero: a field that was never filled in is all zeros."""

    size: int

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not isinstance(value, bytes):
            raise AgreementError(field, "must be bytes")
        if len(value) != self.size:
            raise AgreementError(field, f"has {len(value)} bytes instead of {self.size}")
        if not any(value):
            raise AgreementError(field, "is all zeros: it was not filled in")

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"{2 * self.size} hexadecimal digits"


@dataclass(frozen=True)
class OneOf(FieldType):
    """One of a few names."""

    names: tuple[str, ...]

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not isinstance(value, str) or value not in self.names:
            raise AgreementError(field, f"must be one of: {self.allowed}")

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return ", ".join(self.names)


@dataclass(frozen=True)
class Nested(FieldType):
    """The fields of another class."""

    kind: type
    optional: bool = False

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not isinstance(value, self.kind) and not (self.optional and value is None):
            raise AgreementError(field, "is missing")


@dataclass(frozen=True)
class Several(FieldType):
    """A list, with a bound on its length and no value twice."""

    item: FieldType
    lowest: int
    highest: int
    key: str = ""
    """The attribute of an item that may not occur twice; empty: the item itself."""

    def check(self, field: str, value: Any) -> None:
        """See `FieldType`."""
        if not isinstance(value, tuple):
            raise AgreementError(field, "must be a list")
        if not self.lowest <= len(value) <= self.highest:
            raise AgreementError(
                field,
                f"has {len(value)} entries; between {self.lowest} and {self.highest} are allowed",
            )
        for index, each in enumerate(value):
            self.item.check(f"{field}[{index}]", each)
        keys = (getattr(each, self.key) if self.key else each for each in value)
        validation.distinct(field, keys, self.key)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        each = f"; each: {self.item.allowed}" if self.item.allowed else ""
        return (
            f"{self.lowest:,} to {self.highest:,}{each}" if self.lowest else f"up to {self.highest:,}{each}"
        )


@dataclass(frozen=True)
class DeclaredField:
    """One field of a class, as it was declared."""

    name: str
    type: FieldType
    help: str
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


_declared: dict[Any, tuple[DeclaredField, ...]] = {}


def declared_fields(kind: Any) -> tuple[DeclaredField, ...]:
    """The fields of a dataclass that are declared as this module describes, in the class's order."""
    if kind in _declared:
        return _declared[kind]
    declared = []
    for field in fields(kind):
        notes = getattr(field.type, "__metadata__", ())
        if notes:
            kind_of_value, words = notes
            declared.append(DeclaredField(field.name, kind_of_value, words, field.default))
    return _declared.setdefault(kind, tuple(declared))


def check_fields(value: Any) -> None:
    """Check every declared field of `value`.

    Raises:
        AgreementError: names the first field that is wrong.
    """
    for field in declared_fields(type(value)):
        field.type.check(field.name, getattr(value, field.name))


def _check_name(field: str, value: object, pattern: re.Pattern[str], longest: int, words: str) -> None:
    if not isinstance(value, str):
        raise AgreementError(field, "must be a text")
    if not value:
        raise AgreementError(field, "is missing")
    if len(value) > longest:
        raise AgreementError(field, f"has {len(value)} characters; at most {longest} are allowed")
    if not pattern.fullmatch(value):
        raise AgreementError(field, f"may only hold {words}")
