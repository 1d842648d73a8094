"""Mapping of a table's columns to fields: from a mapping file (TOML), or recognised from the usual headings."""

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
"""Fields of a contract: stored as provenance, and as facts that an agreement may release."""

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
"""Fields with one column."""

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
"""Fields that can have several columns, or several values in one cell."""

MATCHING: Final = ("forenames", "surname", "full_name", "house_number", "street", *SEVERAL)
"""Fields that match keys use."""

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
_SUPPLIER_HEADINGS: Final[Mapping[str, str]] = {
    "reference": "suppliercode vendorcode creditornumber creditorno creditorid creditorref creditorreference creditorcode payeeid "
    "payeenumber payeeref payeecode beneficiaryid beneficiaryref contractorid contractorref providerid providerref merchantid "
    "supplieraccount supplieraccountnumber vendoraccount vendoraccountnumber supplieridentifier suppliersystemid",
    "company_name": "supplier vendor payee payeename beneficiary beneficiaryname merchant merchantname creditor creditorname "
    "contractor contractorname provider providername tenderer tenderername bidder supplierlegalname legalentityname nameofsupplier "
    "nameofcontractor nameofcompany company tradingname awardedsupplier suppliernames "
    "successfulsupplier successfulbidder recipient recipientname",
    "company_number": "suppliercompanynumber suppliercompanyno suppliercompanyregistrationnumber suppliercompanyregno suppliercrn "
    "companyregistration companyregistrationno companyregistrationnum companyreg companieshouseregistrationnumber "
    "companieshouseregistration companieshousereg companieshouseregno companieshouseregnumber companieshouseid companieshouseref "
    "companyhousenumber companyhouseno registeredcompanynumber registeredcompanyno registerednumber registeredno regno regnumber "
    "registrationno supplierregistrationnumber coregistrationno coregistrationnumber cono companynum vendorcompanynumber "
    "companycharitynumber",
    "vat_number": "suppliervatnumber suppliervatno suppliervatregistrationnumber suppliervatregno vatreg vatid vatcode vatregistrationid",
    "postcode": "supplierpostcode vendorpostcode companypostcode businesspostcode registeredpostcode registeredofficepostcode "
    "supplierpostalcode suppliercontactpostcode zip zipcode postzipcode pcode postcodezip payeepostcode creditorpostcode",
    "town": "suppliertown suppliercity vendortown vendorcity addresstown companytown registeredtown",
    "address": "supplieraddress vendoraddress companyaddress businessaddress supplieraddressline1 supplieraddress1 vendoraddressline1 "
    "registeredofficeaddress registeredoffice addressofsupplier payeeaddress creditoraddress",
    "phone": "suppliertelephone supplierphone suppliertelephonenumber contacttelephone contactphone contactnumber",
    "email": "supplieremail supplieremailaddress contactemail contactemailaddress vendoremail",
    "contract_reference": "contractreferencenumber contractrefno contractrefnumber contractcode procurementreference procurementref "
    "procurementid tenderreference agreementreference purchaseorder ponumber purchaseordernumber",
    "contract_value": "totalcontractvalue totalvalue totalvaluegbp totalcontractvaluegbp estimatedcontractvalue contractsum "
    "valueofcontract totalvalueofcontract contracttotalvalue",
    "contract_start": "startdate commencementdate contractcommencementdate contractcommencement contractstarts startdateofcontract "
    "dateofcommencement",
    "contract_end": "enddate expirydate completiondate contractcompletiondate contractends enddateofcontract currentenddate "
    "contractcurrentenddate initialenddate",
}
"""Headings of councils' published spending, payments and contracts registers, for lists of suppliers and bidders. Each is read where no
usual heading of the field is there: beside a supplier's name, `Supplier` can be a code."""
_SUPPLIER_FIELD_OF: Final = {
    heading: name for name, headings in _SUPPLIER_HEADINGS.items() for heading in headings.split()
}
_BIRTHPLACES: Final = frozenset(["birthplace", "placeofbirth", "townofbirth", "birthtown"])
"""Headings of a place of birth, used as the town where the file has no other. Both lists must then mean the same."""
_FIELD_OF: Final = {heading: name for name, headings in _HEADINGS.items() for heading in headings.split()}
_NOISE = re.compile(r"[^a-z0-9]+")
_FACT_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_MAX_FACT_NAME: Final = 63
_OPTIONS: Final = {"separator": str, "day_first": bool, "handling_code": str}


@dataclass(frozen=True)
class ColumnMapping:
    """Fields to columns, by the names in the file's header.

    Raises:
        InputError: no column for the reference or for any matching field, an unknown field, or an invalid option.
    """

    columns: Mapping[str, tuple[str, ...]]
    facts: tuple[str, ...] = ()
    """Columns that are stored, sealed, so that an agreement may release them with a hit."""
    separator: str = ";"
    """Between several values in one cell."""
    day_first: bool = True
    """Whether `03/04/1970` is in April."""
    handling_code: str = "P"
    """The code of every row, for a file without a column of handling codes."""
    unused: tuple[str, ...] = field(default=(), compare=False)
    """Columns of the header that are not read, for the report; set by `recognise`."""

    def __post_init__(self) -> None:
        unknown = set(self.columns) - set(SINGLE) - set(SEVERAL)
        if unknown:
            raise InputError(
                f"the mapping names unknown fields: {', '.join(sorted(unknown))}",
                hint=f"Known: {', '.join(SINGLE + SEVERAL)}, facts.",
            )
        for name in SINGLE:
            if len(self.columns.get(name, ())) > 1:
                raise InputError(f"the mapping gives several columns for {name}", hint="Name one column.")
        if not self.columns.get("reference"):
            raise InputError(
                "no column is mapped to the reference",
                hint="Name it in a mapping file; `blindmatch collection map FILE --kind KIND` proposes one.",
            )
        if not any(self.columns.get(name) for name in MATCHING):
            raise InputError(
                "no column is mapped to a field to match on, such as a name, a date of birth or a company number",
                hint="Name the columns in a mapping file; `blindmatch collection map FILE --kind KIND` proposes one.",
            )
        if not self.separator or self.separator != self.separator.strip():
            raise InputError(
                "the mapping's separator is blank, or has spaces around it",
                hint='For example: separator = ";".',
            )
        if self.handling_code not in {"P", "C"}:
            raise InputError("the mapping's handling code is neither P nor C")

    def positions(self, header: Sequence[str], file: str) -> dict[str, tuple[int, ...]]:
        """The positions of each field's columns in a header, and those of the fact columns as `facts`.

        Raises:
            InputError: the header does not have a column.
        """
        exact = {column: place for place, column in enumerate(header) if column}
        loose: dict[str, int] = {}
        for column, place in exact.items():
            loose.setdefault(fact_name(column), place)

        def position(column: str) -> int:
            tidy = " ".join(column.split())
            place = exact.get(tidy, loose.get(fact_name(tidy)) if _NOISE.sub("", tidy.casefold()) else None)
            if place is None:
                raise InputError(
                    f"{file}: there is no column {column!r}",
                    hint=f"The file has the columns: {', '.join(exact)}.",
                )
            return place

        fields = {**self.columns, "facts": self.facts}
        return {name: tuple(map(position, columns)) for name, columns in fields.items()}

    def fact_positions(self, header: Sequence[str], positions: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """Each fact's name, derived from its column's heading, and the column's position.

        Raises:
            InputError: two headings have one name, or a heading has none.
        """
        facts: dict[str, int] = {}
        for place in positions["facts"]:
            name = fact_name(header[place])
            if facts.setdefault(name, place) != place:
                raise InputError(
                    f"the columns {header[facts[name]]!r} and {header[place]!r} would both have the fact name {name}",
                    hint="Release one of them, or rename a column.",
                )
        for name in CONTRACT:
            # A contract's fields can be released under these names, independent of the column's heading.
            if name in self.columns and name not in facts:
                facts[name] = positions[name][0]
        return facts


def fact_name(column: str) -> str:
    """The name of a column's fact in an agreement: `Contract Value (GBP)` becomes `contract_value_gbp`.

    Agreements allow lower-case letters, digits, hyphens and underscores, after a letter; 63 characters at most. A heading
    that is such a name is not changed.

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
    columns: dict[str, list[str]] = {}
    for column in header:
        name = _FIELD_OF.get(_NOISE.sub("", column.casefold()))
        if name is None and column.casefold() == "name":
            # In a list of people, a column `name` has a person's name; in a list of suppliers, a company's.
            name = "company_name" if kind == "suppliers" else "full_name"
        if name is not None and (name in SEVERAL or name not in columns):
            columns.setdefault(name, []).append(column)
    if kind != "subjects":
        for column in header:
            name = _SUPPLIER_FIELD_OF.get(_NOISE.sub("", column.casefold()))
            if name is not None and name not in columns:
                columns[name] = [column]
    if "town" not in columns:
        born = [column for column in header if _NOISE.sub("", column.casefold()) in _BIRTHPLACES]
        columns.update({"town": born} if born else {})
    if "house_number" in columns and "street" not in columns and len(columns.get("address", ())) == 1:
        # A house number in a column of its own belongs to the address line in the other column.
        columns["street"] = columns.pop("address")
    return {name: tuple(names) for name, names in columns.items()}


def recognise(header: Sequence[str], kind: str, facts: Sequence[str] = ()) -> ColumnMapping:
    """The mapping of a file with the usual headings.

    Raises:
        InputError: there is no heading of the reference, or of any matching field.
    """
    columns = _recognised(header, kind)
    read = {column for names in columns.values() for column in names}
    unused = tuple(column for column in header if column and column not in read and column not in facts)
    return ColumnMapping(columns, tuple(facts), unused=unused)


def unmapped(header: Sequence[str], kind: str) -> str:
    """What an import requires and the headings do not give, or blank."""
    columns = _recognised(header, kind)
    missing = [] if "reference" in columns else ["the reference"]
    if not any(name in columns for name in MATCHING):
        missing.append("a field to match on")
    return " and ".join(missing)


def propose(header: Sequence[str], kind: str) -> str:
    """A mapping file (TOML) for a header, with fields without a column and unrecognised columns as comments to edit."""
    columns = _recognised(header, kind)
    read = {column for names in columns.values() for column in names}
    rest = [_toml(column) for column in header if column and column not in read]
    lines = [
        "# The column of each field: one name, or a list of names. Delete the lines that are wrong.",
        "[columns]",
    ]
    for name in (*SINGLE, *SEVERAL):
        names = columns.get(name, ())
        lines.append(
            f"{name} = {_toml(*names) if len(names) == 1 else _toml(names)}" if names else f'# {name} = ""'
        )
    lines += [
        "",
        "# Columns that an agreement may release with a hit. They are stored sealed.",
        "facts = []",
        *([f"# Columns that are not read: {', '.join(rest)}"] if rest else []),
        "",
        "[options]",
        'separator = ";"      # between several values in one cell',
        "day_first = true     # 03/04/1970 is in April",
        'handling_code = "P"  # for a file without a column of handling codes',
        "",
    ]
    return "\n".join(lines)


def _toml(value: str | Sequence[str]) -> str:
    if not isinstance(value, str):
        return f"[{', '.join(map(_toml, value))}]"
    # A JSON string is a TOML string unless it has DEL or unpaired surrogates, which no header has.
    return json.dumps(value, ensure_ascii=False)


def load_mapping(path: Path, facts: Sequence[str] = ()) -> ColumnMapping:
    """Read a mapping file and add `facts` to its fact columns.

    Raises:
        InputError: the file is not readable, not TOML, or not a valid mapping.
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
            "a mapping must have the tables [columns] and [options] only",
            hint="`blindmatch collection map FILE --kind KIND` proposes one.",
        )
    named = {name: _names(name, value) for name, value in columns.items()}
    own_facts = named.pop("facts", ())
    for name, value in options.items():
        if not isinstance(value, _OPTIONS.get(name, ())):
            raise InputError(
                f"option {name} is unknown or of the wrong type", hint=f"Known: {', '.join(_OPTIONS)}."
            )
    used = {name: names for name, names in named.items() if names}
    return ColumnMapping(used, tuple(dict.fromkeys((*own_facts, *facts))), **options)


def _names(name: str, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(item, str) and item.strip() for item in names):
        raise InputError(f"{name} is neither a column's name nor a list of columns' names")
    return tuple(names)
