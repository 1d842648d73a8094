"""The disclosures: one class of terms for each, with its fields, checks and words.

A new disclosure of an edge is a member of `Disclosure`, a module here, and one entry in `EDGE_TERMS`.
"""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from blindmatch.protocol.agreement.disclosures.count import Count
from blindmatch.protocol.agreement.disclosures.hits import Hits, HitsFacts
from blindmatch.protocol.agreement.disclosures.interface import Disclosure, EdgeTerms
from blindmatch.protocol.agreement.disclosures.sum import Sum
from blindmatch.protocol.agreement.field_types import OneOf
from blindmatch.protocol.errors import AgreementError

EDGE_TERMS: Mapping[Disclosure, type[EdgeTerms]] = MappingProxyType(
    {each.disclosure: each for each in (Hits, HitsFacts, Count, Sum)}
)
"""The class of terms of each disclosure of an edge."""

TERM_FIELDS: Mapping[str, Any] = MappingProxyType(
    {field.name: type(getattr(each, field.name))() for each in EDGE_TERMS.values() for field in fields(each)}
)
"""Every field that belongs to some disclosures only, with the empty value that stands for its absence in signed bytes."""


def edge_terms(disclosure: object, values: Mapping[str, Any]) -> EdgeTerms:
    """The terms of an edge from the fields of an agreement.

    Args:
        disclosure: the disclosure's name.
        values: fields by name. Fields of other disclosures may be there, with their empty value only.

    Raises:
        AgreementError: names the wrong field.
    """
    if disclosure == Disclosure.THRESHOLD:
        raise AgreementError(
            "disclosure", "is not for an edge", hint="Write the threshold as a [[thresholds]] table."
        )
    OneOf(tuple(EDGE_TERMS)).check("disclosure", disclosure)
    terms = EDGE_TERMS[Disclosure(str(disclosure))]
    own = terms.names()
    for name, value in values.items():
        empty = TERM_FIELDS[name]
        if name not in own and (value != empty or isinstance(value, bool) != isinstance(empty, bool)):
            users = [each.value for each, other in EDGE_TERMS.items() if name in other.names()]
            raise AgreementError(
                name,
                f"must be left out: it is for {' and '.join(users)}, and this edge discloses {terms.disclosure.value}",
            )
    return terms(**{name: value for name, value in values.items() if name in own})
