"""Which column of a file is which field: from a mapping file (TOML), or recognised from the usual headings."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from anyascii import anyascii

from blindmatch.protocol.errors import InputError

CONTRACT: Final = ("contract_reference", "contract_value", "contract_start", "contract_end")
"""What a row says of a contract: kept as provenance, and as facts that an agreement may release."""

SINGLE: Final = (
    "reference",
    "forenames",
    "surname",
    "full_name",
    "house_number",
    "street",
    "handling_code",
    "grading",
    "group",
    *CONTRACT,
)
"""Fields that one column gives."""

SEVERAL: Final = (
    "aliases",
    "date_of_birth",
    "address",
    "town",
    "postcode",
    "company_number",
    "company_name",
    "vat_number",
    "phone",
    "email",
    "bank_account",
    "vehicle",
)
"""Fields that several columns, or several values in one cell, may give."""

MATCHING: Final = ("forenames", "surname", "full_name", "house_number", "street", *SEVERAL)
"""Fields that a record can be found by."""

_HEADINGS: Final[Mapping[str, str]] = {
    "reference": "reference ref recordreference recordid recordref id urn uniquereference uniqueid nominalreference "
    "nominalref nominalid personid personreference subjectreference supplierreference supplierid supplierref suppliernumber "
    "supplierno vendorid vendorno vendornumber vendorreference bidderid bidderreference bidderref",
    "forenames": "forenames forename firstname firstnames givenname givennames forenamess",
    "surname": "surname lastname familyname surnames",
    "full_name": "fullname personname wholename",
    "aliases": "aliases alias aka alsoknownas othernames knownas",
    "date_of_birth": "dateofbirth dob birthdate birthday dateofbirthdob born",
    "postcode": "postcode postcodes postalcode homepostcode postcodehome addresspostcode workpostcode",
    "company_number": "companynumber companynumbers companyno companynos companyregistrationnumber companyregno coregno "
    "coregnumber companyregnumber crn registrationnumber companieshousenumber companieshouseno linkedcompanies",
    "house_number": "housenumber houseno buildingnumber streetnumber streetno",
    "street": "street streetname",
    "address": "address addresses homeaddress fulladdress addressline1 address1 streetaddress registeredaddress",
    "town": "town city posttown towncity townorcity locality suburb",
    "company_name": "companyname suppliername vendorname biddername organisationname organizationname businessname "
    "registeredname legalname tradername",
    "vat_number": "vatnumber vatno vat vatregno vatregnumber vatregistration vatregistrationnumber vatregistrationno",
    "phone": "phone phones phonenumber phonenumbers telephone telephones telephonenumber telno tel mobile mobiles "
    "mobilenumber mobilephone",
    "email": "email emails emailaddress emailaddresses mail",
    "bank_account": "bankaccount bankaccounts bankaccountnumber sortcodeandaccount bankdetails",
    "vehicle": "vehicle vehicles vrm vrms vehicleregistration registrationmark numberplate vehiclemark",
    "contract_reference": "contractreference contractref contractid contractno contractnumber",
    "contract_value": "contractvalue contractvaluegbp contractamount awardvalue",
    "contract_start": "contractstart contractstartdate contractfrom",
    "contract_end": "contractend contractenddate contractexpiry contractexpirydate contractto",
    "handling_code": "handlingcode handling handlingcodes",
    "grading": "grading grade intelligencegrading 3x5x2",
    "group": "group groupreference groupref ocg ocgreference ocgref ocgid ocgmreference",
}
_BIRTHPLACES: Final = frozenset(["birthplace", "placeofbirth", "townofbirth", "birthtown"])
"""Headings of a town that stands in where the file has no other: both lists then have to speak of the same thing."""
_FIELD_OF: Final = {heading: name for name, headings in _HEADINGS.items() for heading in headings.split()}
_NOISE = re.compile(r"[^a-z0-9]+")
_FACT_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_MAX_FACT_NAME: Final = 63
_OPTIONS: Final = {"separator": str, "day_first": bool, "handling_code": str}


@dataclass(frozen=True)
class ColumnMapping:
    """Fields to columns, by the names in the file's header.

    Raises:
        InputError: no column for the reference or for anything to match on, an unknown field, or a bad option.
    """

    columns: Mapping[str, tuple[str, ...]]
    facts: tuple[str, ...] = ()
    """Columns kept, sealed, so that they may be released with a hit if an agreement says so."""
    separator: str = ";"
    """Between several values in one cell."""
    day_first: bool = True
    """Whether `03/04/1970` is in April."""
    handling_code: str = "P"
    """For rows of a file without a column of handling codes."""
    unused: tuple[str, ...] = field(default=(), compare=False)
    """Columns of the header that nothing reads: filled by `recognise`, for people."""

    def __post_init__(self) -> None:
        unknown = set(self.columns) - set(SINGLE) - set(SEVERAL)
        if unknown:
            raise InputError(
                f"the mapping names unknown fields: {', '.join(sorted(unknown))}",
                hint=f"Known: {', '.join(SINGLE + SEVERAL)}, facts.",
            )
        for name in SINGLE:
            if len(self.columns.get(name, ())) > 1:
                raise InputError(f"the mapping gives several columns for {name}", hint="Give one.")
        if not self.columns.get("reference"):
            raise InputError(
                "no column is known to hold the reference",
                hint="Name it in a mapping file; `blindmatch collection map FILE` proposes one.",
            )
        if not any(self.columns.get(name) for name in MATCHING):
            raise InputError(
                "no column is known to hold anything to match on: a name, a date of birth, a company number",
                hint="Name the columns in a mapping file; `blindmatch collection map FILE` proposes one.",
            )
        if not self.separator or self.separator != self.separator.strip():
            raise InputError(
                "the mapping's separator is empty or blank", hint='Use for example separator = ";".'
            )
        if self.handling_code not in {"P", "C"}:
            raise InputError("the mapping's handling code is not P or C")

    def places(self, header: Sequence[str], name: str) -> dict[str, tuple[int, ...]]:
        """Where the columns stand in a header: fields, and each fact as `facts`.

        Raises:
            InputError: a column that the header does not have.
        """
        exact = {column: place for place, column in enumerate(header) if column}
        loose: dict[str, int] = {}
        for column, place in exact.items():
            loose.setdefault(fact_name(column), place)

        def place_of(column: str) -> int:
            tidy = " ".join(column.split())
            found = exact.get(tidy, loose.get(fact_name(tidy)) if _NOISE.sub("", tidy.casefold()) else None)
            if found is None:
                raise InputError(
                    f"{name}: there is no column {column!r}",
                    hint=f"The file has: {', '.join(exact)}.",
                )
            return found

        wanted = {**self.columns, "facts": self.facts}
        return {item: tuple(place_of(column) for column in columns) for item, columns in wanted.items()}

    def fact_places(self, header: Sequence[str], places: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """Each fact's name, made from its column's heading, and the column's place.

        Raises:
            InputError: two headings make one name, or a heading makes none.
        """
        found: dict[str, int] = {}
        for place in places["facts"]:
            name = fact_name(header[place])
            if found.setdefault(name, place) != place:
                raise InputError(
                    f"the columns {header[found[name]]!r} and {header[place]!r} would both be called {name}",
                    hint="Release one of them, or rename a column.",
                )
        for name in CONTRACT:
            # What a row says of its contract can be released under one name, whatever the column's heading is.
            if name in self.columns and name not in found:
                found[name] = places[name][0]
        return found


def fact_name(column: str) -> str:
    """What an agreement calls a column's fact: `Contract Value (GBP)` is `contract_value_gbp`.

    Agreements allow lower-case letters, digits, hyphens and underscores, after a letter; 63 characters at most. A heading
    that is such a name stays as it is.

    Raises:
        InputError: the heading has no letter or digit.
    """
    if len(column) <= _MAX_FACT_NAME and _FACT_NAME.fullmatch(column):
        return column
    name = "_".join(re.findall(r"[a-z0-9]+", anyascii(column).lower()))
    if not name:
        raise InputError(
            f"the fact column {column!r} has no letter or digit", hint="Give it another heading."
        )
    return (name if name[0].isalpha() else f"fact_{name}")[:_MAX_FACT_NAME].rstrip("_")


def _recognised(header: Sequence[str], kind: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for column in header:
        name = _FIELD_OF.get(_NOISE.sub("", column.casefold()))
        if name is None and column.casefold() == "name":
            # A column `name` of a list of people is a person's; a supplier's is a company's.
            name = "company_name" if kind == "suppliers" else "full_name"
        if name is not None and (name in SEVERAL or name not in found):
            found.setdefault(name, []).append(column)
    if "town" not in found:
        born = [column for column in header if _NOISE.sub("", column.casefold()) in _BIRTHPLACES]
        found.update({"town": born} if born else {})
    if "house_number" in found and "street" not in found and len(found.get("address", ())) == 1:
        # A number in a column of its own belongs before what stands beside it.
        found["street"] = found.pop("address")
    return {name: tuple(columns) for name, columns in found.items()}


def recognise(header: Sequence[str], kind: str, facts: Sequence[str] = ()) -> ColumnMapping:
    """The mapping of a file with the usual headings.

    Raises:
        InputError: the headings do not say enough.
    """
    columns = _recognised(header, kind)
    read = {column for names in columns.values() for column in names}
    unused = tuple(column for column in header if column and column not in read and column not in facts)
    return ColumnMapping(columns, tuple(facts), unused=unused)


def propose(header: Sequence[str], kind: str) -> str:
    """A mapping file for a header: what was recognised, and what is left as remarks to be edited."""
    columns = _recognised(header, kind)
    read = {column for names in columns.values() for column in names}
    rest = [column for column in header if column and column not in read]
    return render(columns, rest=rest)


def _toml(value: str | Sequence[str]) -> str:
    # A JSON string is a TOML string as long as DEL and lone surrogates, which no header has, stay out.
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str)
        else f"[{', '.join(map(_toml, value))}]"
    )


def render(
    columns: Mapping[str, Sequence[str]], *, rest: Sequence[str] = (), facts: Sequence[str] = ()
) -> str:
    """A mapping as TOML text, fields without a column as remarks."""
    lines = [
        "# Which column of the file is which field. Delete what does not fit; one name or a list of names.",
        "[columns]",
    ]
    for name in (*SINGLE, *SEVERAL):
        given = columns.get(name, ())
        shown = given[0] if len(given) == 1 else list(given)
        lines.append(f"{name} = {_toml(shown)}" if given else f'# {name} = ""')
    lines += [
        "",
        "# Columns that may be released with a hit, where an agreement says so. They are kept sealed.",
    ]
    lines += [f"facts = {_toml(list(facts))}"]
    if rest:
        lines += [f"# Columns that nothing reads: {', '.join(_toml(column) for column in rest)}"]
    lines += [
        "",
        "[options]",
        'separator = ";"      # between several values in one cell',
        "day_first = true     # 03/04/1970 is in April",
        'handling_code = "P"  # for a file without a column of handling codes',
    ]
    return "\n".join(lines) + "\n"


def load_mapping(path: Path, facts: Sequence[str] = ()) -> ColumnMapping:
    """Read a mapping file; `facts` are added to those that it names.

    Raises:
        InputError: cannot be read, is not TOML, or does not fit.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    try:
        return _mapping(data, facts)
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from None


def _mapping(data: dict[str, Any], facts: Sequence[str]) -> ColumnMapping:
    columns, options = data.pop("columns", None), data.pop("options", {})
    if not isinstance(columns, dict) or not isinstance(options, dict) or data:
        raise InputError(
            "a mapping has the tables [columns] and [options], and nothing else",
            hint="`blindmatch collection map FILE` proposes one.",
        )
    named = {name: _names(name, value) for name, value in columns.items()}
    own_facts = named.pop("facts", ())
    for name, value in options.items():
        if not isinstance(value, _OPTIONS.get(name, ())):
            raise InputError(
                f"option {name} is unknown or of the wrong kind", hint=f"Known: {', '.join(_OPTIONS)}."
            )
    kept = {name: names for name, names in named.items() if names}
    return ColumnMapping(kept, tuple(dict.fromkeys((*own_facts, *facts))), **options)


def _names(name: str, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(item, str) and item.strip() for item in names):
        raise InputError(f"{name} is neither a column's name nor a list of names")
    return tuple(names)
