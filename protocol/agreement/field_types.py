"""What a field of an agreement may hold, declared once where the field is.

A field is declared as `Annotated[type, FieldType, "help"]`. From the declaration come its check in the constructor, its form in
signed bytes and in a draft, and its row in the documentation. `help` is written for the officer who drafts.

A file or a peer can supply a value of any type. Texts are shown on officers' terminals, so
characters that control a terminal or change the direction of writing are refused here.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, ClassVar

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

LAST_SECOND = 253_402_300_799
"""31 December 9999, 23:59:59 UTC: the last second that calendars can print."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class FieldType(ABC):
    """The values that a field may hold."""

    @abstractmethod
    def check(self, field: str, value: Any) -> None:
        """Raise `AgreementError` for `field` unless it may hold `value`, which may be of any type."""

    @property
    def allowed(self) -> str:
        """The allowed values in words; empty when the help states them."""
        return ""


@dataclass(frozen=True)
class Text(FieldType):
    """A text that people read: not blank, not too long, no invisible characters except line breaks."""

    longest: int = LIMITS.text_characters
    optional: bool = False

    def check(self, field: str, value: Any) -> None:
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
        return f"up to {self.longest:,} characters"


@dataclass(frozen=True)
class Identifier(FieldType):
    """A name of lower-case letters, digits and inner hyphens; 63 characters make a DNS label."""

    longest: int = 63
    optional: bool = False
    form: ClassVar[re.Pattern[str]] = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
    form_words: ClassVar[str] = "lower-case letters, digits and inner hyphens, such as west-force"

    def check(self, field: str, value: Any) -> None:
        if not isinstance(value, str):
            raise AgreementError(field, "must be a text")
        if self.optional and not value:
            return
        if not value:
            raise AgreementError(field, "is missing")
        if len(value) > self.longest:
            raise AgreementError(field, f"has {len(value)} characters; at most {self.longest} are allowed")
        if not self.form.fullmatch(value):
            raise AgreementError(field, f"may only hold {self.form_words}")

    @property
    def allowed(self) -> str:
        return f"lower-case letters, digits, inner hyphens; up to {self.longest} characters"


class FactName(Identifier):
    """The name of a fact: lower-case letters, digits, hyphens and underscores, starting with a letter."""

    form = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
    form_words = "lower-case letters, digits, hyphens and underscores, such as contract_value"
    allowed = "a fact's name, as the import prints it (`contract_value_gbp`)"


@dataclass(frozen=True)
class Whole(FieldType):
    """A whole number between two bounds, both included."""

    lowest: int
    highest: int

    def check(self, field: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise AgreementError(field, "must be a whole number")
        if not self.lowest <= value <= self.highest:
            raise AgreementError(field, f"is {value}; it must be between {self.lowest} and {self.highest}")

    @property
    def allowed(self) -> str:
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

    def check(self, field: str, value: Any) -> None:
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

    def check(self, field: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise AgreementError(field, "must be true or false")


@dataclass(frozen=True)
class Octets(FieldType):
    """Bytes of one size, not all zero: a field that was never filled in is all zeros."""

    size: int

    def check(self, field: str, value: Any) -> None:
        if not isinstance(value, bytes):
            raise AgreementError(field, "must be bytes")
        if len(value) != self.size:
            raise AgreementError(field, f"has {len(value)} bytes instead of {self.size}")
        if not any(value):
            raise AgreementError(field, "is all zeros: it was not filled in")

    @property
    def allowed(self) -> str:
        return f"{2 * self.size} hexadecimal digits"


@dataclass(frozen=True)
class OneOf(FieldType):
    """One of a few names."""

    names: tuple[str, ...]

    def check(self, field: str, value: Any) -> None:
        if not isinstance(value, str) or value not in self.names:
            raise AgreementError(field, f"must be one of: {self.allowed}")

    @property
    def allowed(self) -> str:
        return ", ".join(self.names)


@dataclass(frozen=True)
class Nested(FieldType):
    """The fields of another class."""

    kind: type
    optional: bool = False

    def check(self, field: str, value: Any) -> None:
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

    def check_length(self, field: str, value: Sized) -> None:
        """Raise `AgreementError` for `field` unless it may have as many entries."""
        if not self.lowest <= len(value) <= self.highest:
            raise AgreementError(
                field, f"has {len(value)} entries; between {self.lowest} and {self.highest} are allowed"
            )

    def check(self, field: str, value: Any) -> None:
        if not isinstance(value, tuple):
            raise AgreementError(field, "must be a list")
        self.check_length(field, value)
        for index, each in enumerate(value):
            self.item.check(f"{field}[{index}]", each)
        keys = (getattr(each, self.key) if self.key else each for each in value)
        validation.distinct(field, keys, self.key)

    @property
    def allowed(self) -> str:
        each = f"; each: {self.item.allowed}" if self.item.allowed else ""
        return (
            f"{self.lowest:,} to {self.highest:,}{each}" if self.lowest else f"up to {self.highest:,}{each}"
        )


@dataclass(frozen=True)
class DeclaredField:
    """One field of a class, as it was declared."""

    name: str
    default: Any
    type: FieldType
    help: str

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING

    @property
    def nested(self) -> Any:
        """The class of the table, or of the tables, that it holds; None when it holds neither."""
        kind = self.type.item if isinstance(self.type, Several) else self.type
        return kind.kind if isinstance(kind, Nested) else None


def _declared_fields(kind: Any) -> tuple[DeclaredField, ...]:
    return tuple(
        DeclaredField(field.name, field.default, *field.type.__metadata__)
        for field in fields(kind)
        if hasattr(field.type, "__metadata__")
    )


declared_fields: Callable[[Any], tuple[DeclaredField, ...]] = cache(_declared_fields)
"""The fields of a dataclass that are declared as this module describes, in the class's order."""


def check_fields(value: Any) -> None:
    """Check every declared field of `value`.

    Raises:
        AgreementError: names the first field that is wrong.
    """
    for field in declared_fields(type(value)):
        field.type.check(field.name, getattr(value, field.name))
