"""A record as a company register has it: one name, month and year of birth, postcode district."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports.formats.record_drafts import Part
from blindmatch.protocol.linkage import Schema

_NAMES = ("forenames", "surname", "full_name")
_BELOW_DISTRICT = ("full", "sector")
_MONTH_CHARACTERS = 7


def register_parts(parts: Sequence[Part]) -> list[Part]:
    """The parts of a record that the register has, with dates in ISO form as importers write them.

    Postcodes are complete: `drop_below_district` removes their finer levels.
    """
    reduced: list[Part] = []
    for part in parts:
        first = {name: value for name in _NAMES if (value := part[0].get(name, ""))}
        if first:
            reduced.append([first])
            continue
        for name, characters in (("date_of_birth", _MONTH_CHARACTERS), ("postcode", None)):
            values = dict.fromkeys(item[name][:characters] for item in part if item.get(name))
            if values:
                reduced.append([{name: value} for value in values])
    return reduced


def drop_below_district(schema: Schema, columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Level digests (rows, levels, 16) without the levels of a postcode that are finer than its district.

    It works on digests because only some countries' postcodes have a recognisable district.
    """
    reduced = columns.copy()
    reduced[:, [level.field == "postcode" and level.test in _BELOW_DISTRICT for level in schema.levels]] = 0
    return reduced
