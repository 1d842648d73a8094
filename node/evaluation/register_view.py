"""What the company register would say of somebody: one name, month and year of birth, postcode district."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports.formats.drafts import Part
from blindmatch.protocol.linkage import Schema

_NAMES = ("forenames", "surname", "full_name")
_BELOW_DISTRICT = ("full", "sector")
_MONTH_CHARACTERS = 7


def register_parts(parts: Sequence[Part]) -> list[Part]:
    """A record's facts as the register has them; all others are dropped.

    Dates are ISO, as importers give them. Postcodes stay whole: `districts_only` drops what they say beyond districts.
    """
    kept: list[Part] = []
    for part in parts:
        first = {name: value for name in _NAMES if (value := part[0].get(name, ""))}
        if first:
            kept.append([first])
            continue
        for name, characters in (("date_of_birth", _MONTH_CHARACTERS), ("postcode", None)):
            values = dict.fromkeys(item[name][:characters] for item in part if item.get(name))
            if values:
                kept.append([{name: value} for value in values])
    return kept


def drop_below_district(schema: Schema, columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Level digests (rows, levels, 16) without those of a postcode that say more than its district.

    Done on digests because a district by itself can be told from a postcode in some countries only.
    """
    reduced = columns.copy()
    reduced[:, [level.field == "postcode" and level.test in _BELOW_DISTRICT for level in schema.levels]] = 0
    return reduced
