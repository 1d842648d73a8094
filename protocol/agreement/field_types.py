"""What a field of an agreement may hold, declared once where the field is.

A field is declared as `Annotated[type, FieldType, "help"]`. From the declaration come its check in the constructor, its form in
signed bytes and in a draft, and its row in the documentation. `help` is written for the officer who drafts.
"""

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import Any

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS


class FieldType(ABC):
    """The values that a field may hold."""

    @abstractmethod
    def check(self, field: str, value: object) -> None:
        """Raise `AgreementError` for `field` unless it may hold `value`."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The allowed values in words; empty when the help states them."""


@dataclass(frozen=True)
class Text(FieldType):
    """A text that people read."""

    longest: int = LIMITS.text_characters
    optional: bool = False

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.text(field, value, longest=self.longest, optional=self.optional)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"up to {self.longest:,} characters"


@dataclass(frozen=True)
class Identifier(FieldType):
    """A name of lower-case letters, digits and inner hyphens."""

    longest: int = 63
    optional: bool = False

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        if not (self.optional and value == ""):
            validation.identifier(field, value, longest=self.longest)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"lower-case letters, digits, inner hyphens; up to {self.longest} characters"


@dataclass(frozen=True)
class FactName(FieldType):
    """The name of a fact of a record."""

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.fact_name(field, value)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return "a fact's name, as the import prints it (`contract_value_gbp`)"


@dataclass(frozen=True)
class Whole(FieldType):
    """A whole number between two bounds, both included."""

    lowest: int
    highest: int

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.whole(field, value, self.lowest, self.highest)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return f"{self.lowest:,} to {self.highest:,}"


@dataclass(frozen=True)
class Moment(FieldType):
    """A time in seconds since 1970, UTC."""

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.whole(field, value, 0, validation.LAST_SECOND)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return "a date or a time without quotes; UTC unless it states another time zone"


@dataclass(frozen=True)
class Share(FieldType):
    """A share in whole millionths: what is signed must be the same number for everybody."""

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.share(field, value)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return "above 0 and below 1, six digits after the point"


@dataclass(frozen=True)
class Flag(FieldType):
    """True or false."""

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.flag(field, value)

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return "true, false"


@dataclass(frozen=True)
class Octets(FieldType):
    """Bytes of one size, not all zero."""

    size: int

    def check(self, field: str, value: object) -> None:
        """See `FieldType`."""
        validation.octets(field, value, self.size)

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
        validation.one_of(field, value, self.names)

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

    @property
    def allowed(self) -> str:
        """See `FieldType`."""
        return ""


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
        validation.several(field, value, self.lowest, self.highest)
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
