"""The town and the postcode at the end of an address in one cell: `1 High Street, Ely, CB7 4AA`."""

import re
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.places import ALWAYS_STREETS, ends_street, postcode
from blindmatch.protocol.linkage.normalise.text import CACHED, LONGEST, fold, word_set, words

_SEPARATORS = re.compile(r"[,;\n\r\t|]+")
_COUNTRIES: Final = frozenset(
    [
        "england",
        "wales",
        "scotland",
        "northern ireland",
        "united kingdom",
        "great britain",
        "uk",
        "gb",
        "gbr",
        "cymru",
        "england and wales",
    ]
)
_COUNTIES: Final = frozenset(
    [
        "avon",
        "bedfordshire",
        "beds",
        "berkshire",
        "berks",
        "buckinghamshire",
        "bucks",
        "cambridgeshire",
        "cambs",
        "cheshire",
        "cleveland",
        "clwyd",
        "cornwall",
        "co durham",
        "county durham",
        "cumberland",
        "cumbria",
        "derbyshire",
        "devon",
        "dorset",
        "dyfed",
        "east sussex",
        "east yorkshire",
        "east riding of yorkshire",
        "essex",
        "gloucestershire",
        "glos",
        "greater london",
        "greater manchester",
        "gwent",
        "gwynedd",
        "hampshire",
        "hants",
        "herefordshire",
        "hertfordshire",
        "herts",
        "humberside",
        "isle of wight",
        "kent",
        "lancashire",
        "lancs",
        "leicestershire",
        "leics",
        "lincolnshire",
        "lincs",
        "merseyside",
        "mid glamorgan",
        "middlesex",
        "middx",
        "norfolk",
        "north yorkshire",
        "n yorkshire",
        "north humberside",
        "northamptonshire",
        "northants",
        "northumberland",
        "nottinghamshire",
        "notts",
        "oxfordshire",
        "oxon",
        "powys",
        "rutland",
        "shropshire",
        "salop",
        "somerset",
        "south glamorgan",
        "south yorkshire",
        "s yorkshire",
        "staffordshire",
        "staffs",
        "suffolk",
        "surrey",
        "sussex",
        "tyne and wear",
        "tyne wear",
        "warwickshire",
        "west glamorgan",
        "west midlands",
        "west sussex",
        "west yorkshire",
        "w yorkshire",
        "westmorland",
        "wiltshire",
        "wilts",
        "worcestershire",
        "worcs",
        "yorkshire",
        "co antrim",
        "co armagh",
        "co down",
        "co fermanagh",
        "co londonderry",
        "co tyrone",
        "county antrim",
        "county armagh",
        "county down",
        "county fermanagh",
        "county londonderry",
        "county tyrone",
        "aberdeenshire",
        "angus",
        "argyll",
        "ayrshire",
        "banffshire",
        "berwickshire",
        "caithness",
        "dumfriesshire",
        "dunbartonshire",
        "east lothian",
        "fife",
        "inverness shire",
        "kincardineshire",
        "kirkcudbrightshire",
        "lanarkshire",
        "midlothian",
        "morayshire",
        "peeblesshire",
        "perthshire",
        "renfrewshire",
        "ross shire",
        "roxburghshire",
        "stirlingshire",
        "sutherland",
        "west lothian",
        "wigtownshire",
        "anglesey",
        "carmarthenshire",
        "ceredigion",
        "denbighshire",
        "flintshire",
        "monmouthshire",
        "pembrokeshire",
        "glamorgan",
    ]
)
_NO_TOWNS: Final = word_set(
    "house building buildings centre center floor flat unit suite office offices block wing works mill farm barn cottage lodge hall "
    "tower towers studios studio chambers hospital school college university station depot site plaza hotel club church rectory "
    "vicarage grange manor apartments apartment room industrial business trading science retail park estate council ltd limited plc"
)
"""Words that end the name of a building or a site."""
_NUMBER = re.compile(r"^[0-9]+(?= )")
_FULL_INWARD: Final = len("1AA")


def ending(text: str) -> tuple[str, str]:
    """(postcode, town) at the end of a whole address; each blank if it is not there. A country and a county behind them are skipped.

    A town is read only behind a street or before a postcode, so the name of a house is not taken for one.
    """
    # The end does not depend on the number in front, and streets repeat: cache by street.
    return ending_of_first(_NUMBER.sub("1", text)) if len(text) <= LONGEST else ("", "")


@lru_cache(maxsize=CACHED >> 1)
def ending_of_first(text: str) -> tuple[str, str]:
    """The result of `ending` for the same address with the house number 1, where it starts with a number."""
    segments = [
        part
        for piece in _SEPARATORS.split(text)
        if (part := " ".join(piece.replace(".", " ").split()).strip(" ()-"))
    ]
    _drop_areas(segments)
    code = _take_postcode(segments)
    _drop_areas(segments)
    if not segments:
        return code, ""
    return code, _town(segments, certain=bool(code))


def _plain(segment: str) -> str:
    return " ".join(words(segment.replace("&", " and ")))


def _drop_areas(segments: list[str]) -> None:
    """Remove countries and counties at the end."""
    while len(segments) > 1 and _plain(segments[-1]) in _COUNTRIES | _COUNTIES:
        segments.pop()
    parts = segments[-1].split() if segments else []
    for count in (3, 2, 1):
        if len(parts) > count and _plain(" ".join(parts[-count:])) in _COUNTRIES:
            segments[-1] = " ".join(parts[:-count])
            return


def _take_postcode(segments: list[str]) -> str:
    parts = segments[-1].split() if segments else []
    for count in (2, 1):
        if len(parts) < count:
            continue
        try:
            outward, inward = postcode(" ".join(parts[-count:]))
        except ValueError:
            continue
        if len(inward) == _FULL_INWARD and any(letter.isdigit() for letter in outward):
            segments[-1:] = [" ".join(parts[:-count])] if len(parts) > count else []
            return f"{outward} {inward}"
    return ""


def _town(segments: list[str], *, certain: bool) -> str:
    last = segments[-1]
    if len(segments) == 1 or any(letter.isdigit() for letter in last):
        return _behind_street(last)
    before = segments[:-1]
    if ends_street(fold(last)) or words(last)[-1:] == [] or words(last)[-1] in _NO_TOWNS:
        return ""
    known = certain or any(ends_street(fold(part)) or part[:1].isdigit() for part in before)
    return last if known else ""


def _behind_street(segment: str) -> str:
    """`Leeds` in `1 High Street Leeds`: the words after the last one that only a street has."""
    parts = segment.split()
    for place in range(len(parts) - 1, 0, -1):
        word = _plain(parts[place])
        if word in ALWAYS_STREETS:
            behind = parts[place + 1 :]
            town = " ".join(behind)
            return (
                town
                if behind
                and town.replace(" ", "").replace("-", "").isalpha()
                and behind[-1].casefold() not in _NO_TOWNS
                else ""
            )
    return ""
