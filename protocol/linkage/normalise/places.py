"""Postcodes, addresses and towns of the United Kingdom."""

import re
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED, LONGEST, fold, word_set, words

_OUTWARD = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?|GIR")
_INWARD = re.compile(r"[0-9](?:[ABD-HJLNP-UW-Z]{2})?")
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?|GIR|[A-Z]{4})([0-9][ABD-HJLNP-UW-Z]{2})")
_FORCES = re.compile(r"BFPO(?:C/?O)?0*([1-9][0-9]{0,3})")
_OVERSEAS: Final = word_set("ASCN BBND BIQQ FIQQ PCRN SIQQ STHL TDCU TKCA")
_CANONICAL = re.compile(r"(?!ZZ)[A-Z]{1,2}[0-9][A-HJ-NP-Z0-9]? [0-9][ABD-HJLNP-UW-Z]{2}")
"""Texts that `canonical_postcode` returns unchanged. Registers write nearly all postcodes in this form."""
_OUTWARD_MISREAD = re.compile(r"([A-Z]{1,2})([0-9IO])([A-Z0-9]?)")


@lru_cache(maxsize=CACHED)
def postcode(text: str) -> tuple[str, str]:
    """A UK postcode as (outward, inward): `sw1a1aa` gives `("SW1A", "1AA")`, the district `ng9` gives `("NG9", "")`.

    The letters O and I in a digit's place are read as 0 and 1. British Forces numbers give `("BFPO", "57")`. Blank text gives two blanks.

    Raises:
        ValueError: not in the form of a UK postcode, or `ZZ99`, the placeholder for none.
    """
    cleaned = " ".join(fold(text).upper().replace("-", " ").replace(".", "").split())
    if not cleaned:
        return "", ""
    joined = cleaned.replace(" ", "")
    if forces := _FORCES.fullmatch(joined):
        return "BFPO", forces[1]
    if joined.startswith("ZZ"):
        raise ValueError("not a UK postcode: a stand-in for none")
    whole = _POSTCODE.fullmatch(_with_digits(joined))
    if whole and (len(whole[1]) < 4 or whole[1][-2].isdigit() or whole[1] in _OVERSEAS):
        return whole[1], whole[2]
    outward, _, inward = cleaned.partition(" ")
    if _OUTWARD.fullmatch(outward) and (not inward or _INWARD.fullmatch(inward)):
        return outward, inward
    raise ValueError("not a UK postcode")


def _with_digits(joined: str) -> str:
    """O and I replaced where a digit must be: at the start of the inward part, and after the letters of the district."""
    if not 5 <= len(joined) <= 7 or joined.startswith("GIR"):
        return joined
    outward, inward = joined[:-3], joined[-3:]
    inward = inward[0].replace("O", "0").replace("I", "1") + inward[1:]
    parts = _OUTWARD_MISREAD.fullmatch(outward)
    if parts:
        rest = parts[3].replace("O", "0").replace("I", "1")
        outward = parts[1] + parts[2].replace("O", "0").replace("I", "1") + rest
    return outward + inward


def canonical_postcode(text: str) -> str:
    """A UK postcode, district or sector in capitals: `sw1a1aa` gives `SW1A 1AA`, `ng9` gives `NG9`.

    Raises:
        ValueError: as `postcode`.
    """
    if _CANONICAL.fullmatch(text):
        return text
    outward, inward = postcode(text)
    return f"{outward} {inward}".strip()


# Level tests on canonical text.


def full_postcode(canonical: str) -> str:
    """The complete postcode; blank for a district or a sector."""
    outward, _, inward = canonical.partition(" ")
    return canonical if len(inward) == 3 or (outward == "BFPO" and inward) else ""


def sector(canonical: str) -> str:
    """`SW1A 1`, some 3,000 homes."""
    outward, _, inward = canonical.partition(" ")
    return f"{outward} {inward[0]}" if inward and outward != "BFPO" else ""


def district(canonical: str) -> str:
    """`SW1A`; for British Forces with the number, because `BFPO` alone is no place."""
    outward, _, inward = canonical.partition(" ")
    return canonical if outward == "BFPO" and inward else outward


_TYPES: Final = {
    "rd": "road", "ave": "avenue", "av": "avenue", "avn": "avenue", "cl": "close", "clo": "close", "crt": "court",
    "ct": "court", "cres": "crescent", "cresc": "crescent", "crs": "crescent", "dr": "drive", "drv": "drive", "gdns": "gardens",
    "gdn": "garden", "grdns": "gardens", "gr": "grove", "grv": "grove", "gro": "grove", "la": "lane", "ln": "lane", "pk": "park",
    "pl": "place", "sq": "square", "ter": "terrace", "terr": "terrace", "tce": "terrace", "wk": "walk", "wy": "way",
    "hwy": "highway", "pde": "parade", "par": "parade", "esp": "esplanade", "cct": "circuit", "cir": "circle",
    "circ": "circus", "blvd": "boulevard", "bvd": "boulevard", "boul": "boulevard", "mws": "mews", "qy": "quay", "str": "street",
    "prom": "promenade", "bdwy": "broadway", "bway": "broadway", "est": "estate", "vw": "view", "cswy": "causeway",
    "arc": "arcade", "all": "alley", "byp": "bypass", "pth": "path", "rw": "row", "xing": "crossing", "yd": "yard",
}  # fmt: skip
"""Abbreviated street types, which are written out only where a street type can be."""
_WORDS: Final = {
    "gt": "great", "lt": "little", "upr": "upper", "lwr": "lower", "nth": "north", "sth": "south", "mt": "mount",
    "hse": "house", "cott": "cottage", "cotts": "cottages", "ctg": "cottage", "bldg": "building", "bldgs": "buildings", "fm": "farm",
    "gn": "green", "hts": "heights", "saint": "st", "ind": "industrial", "trdg": "trading", "bus": "business",
}  # fmt: skip
_STREETS: Final = word_set(
    "road street avenue close crescent drive gardens grove lane square terrace walk way highway parade esplanade circuit circle circus "
    "boulevard mews quay promenade broadway row path causeway hill rise place garth wynd vennel gate view alley arcade bypass yard "
    "mount embankment wharf court park green estate croft meadow meadows drove dell dene ride chase fold end bank brow brae cross "
    "common crossing loop link turn strand mall cheapside kingsway queensway parkway approach garden bridge vale field fields villas"
)
"""Words that can end the name of a street."""
ALWAYS_STREETS: Final = word_set(
    "road street avenue close crescent drive lane terrace boulevard grove gardens square mews highway parade way esplanade"
)
"""Words that end the name of a street even if the town follows without a comma."""
_ONE_WORD_STREETS: Final = word_set("broadway cheapside kingsway queensway esplanade parade strand promenade")
"""Streets of one word."""
_FOREIGN_STREETS: Final = word_set("heol ffordd stryd rhodfa lon rue via calle avenida rua")
_SIDES: Final = word_set("north south east west upper lower")
_SAINTS: Final = word_set(
    "aidan aidans alban albans andrew andrews ann anne annes anns anthony anthonys augustine augustines barnabas bartholomew bede "
    "benedict benedicts bernard botolph botolphs bride brides catherine catherines chad chads christopher clement clements columba cuthbert "
    "cuthberts cyril david davids denis dunstan dunstans edmund edmunds edward edwards francis george georges giles helen helena helens helier "
    "hilda hildas hugh ignatius ives jame james john johns joseph josephs jude judes julian katherine kilda laurence lawrence leonard leonards "
    "luke lukes magnus margaret margarets mark marks martin martins mary marys matthew matthews michael michaels mungo neots nicholas nicolas "
    "ninian olave olaves oswald oswalds pancras patrick patricks paul pauls peter peters philip philips richard richards saviour saviours "
    "stephen stephens swithin swithun swithuns teresa thomas vincent vincents wilfrid wilfrids winifred"
)

_ROUNDS: Final = 8
"""Removing one part can expose another part to remove. It is repeated until the text is stable, at most this often."""

_SPLIT = re.compile(r"[,;\n\r\t|]+")
_INLINE_POSTCODE = re.compile(r"\b[a-z]{1,2}[0-9][a-z0-9]? ?[0-9][abd-hjlnp-uw-z]{2}\b")
_FLAT = re.compile(
    r"\b(?:flat|flt|apartment|apt|appt|unit|suite|room|rm|studio|maisonette|penthouse|plot|bedsit|floor|level)s?"
    r"(?: ?(?:no|number|nos) ?|\s+)?(?:[0-9]+[a-z]?|[a-z])(?:\s*[-/&]\s*[0-9]+[a-z]?)?(?=[\s,;]|$)"
)
_FLOOR = re.compile(
    r"\b(?:(?:lower |upper )?(?:ground|first|second|third|fourth|fifth|top|basement|garden|[1-9](?:st|nd|rd|th)) (?:floor|flat)(?: flat| (?:left|right|front|rear))?|"
    r"basement|[1-9][0-9]?f[1-9])(?=[\s,]|$)(?! (?:road|rd|street|st|lane|close|house)\b)"
)
_CARE_OF_PREFIXES: Final = ("c/o", "care of", "attn", "fao")
_CARE_OF = re.compile(r"^(?:c/o|care of|attn|fao)\b.*")
# A fast test whether `_FLAT` or `_FLOOR` can match: without word boundaries, the search skips ahead by first letters.
_WITHIN = re.compile(
    r"fla?t|apartment|app?t|unit|suite|ro?o?m|studio|maisonette|penthouse|plot|bedsit|floor|level|basement|[0-9]f[0-9]"
)
_BOX = re.compile(r"\bp\.? ?o\.? ?box (?:no\.? ?)?([0-9a-z]+)\b")
_NUMBER_WORD = re.compile(r"^(?:no|number|nr|house|hse|#)[.:]? ?(?=[0-9])")
_NUMBERED = re.compile(
    r"(?:^|(?<=\s))([0-9]{1,5}(?: ?[a-z](?![a-z0-9']))?)(?: ?[-\u2013/] ?([0-9]{1,5}[a-z]?(?![a-z])))?(?=\s|$)"
)


_SIMPLE = re.compile(r"([1-9][0-9]{0,4}[a-z]?) ([a-z]{2}[a-z ,.']{1,98})")
"""A house number, followed by no other digit and no single letter that could belong to it."""


def address(text: str) -> tuple[str, str]:
    """A written address as (house number or name, street): `Flat 3, 12A High St, Ely` gives `("12a", "high street")`.

    The flat, the town and a postcode are removed. A house without a number gives its name: `The Old Rectory, Church
    Ln` gives `("old rectory", "church lane")`. Either part can be blank. It never raises; `number|street` is read as two known parts.
    """
    if len(text) > LONGEST:
        return "", ""
    if simple := _SIMPLE.fullmatch(text.lower()):
        # The street does not depend on the number, nor on the text after the comma, and streets repeat: cache by street.
        head, _, behind = simple[2].partition(",")
        number, street = ("", "") if "box" in behind else number_one(head)
        if not street:
            number, street = number_one(simple[2])
        if number == "1":
            return simple[1], street
    known, bar, behind = text.partition("|")
    return address_parts(known, behind) if bar and "|" not in behind else address_parts(*_read(text))


@lru_cache(maxsize=CACHED >> 1)
def number_one(behind: str) -> tuple[str, str]:
    """The result of `address` for house number 1 of a street."""
    return address_parts(*_read(f"1 {behind}"))


def _read(text: str) -> tuple[str, str]:
    folded = fold(text.replace("\u2019", "'")).strip()
    folded = _INLINE_POSTCODE.sub(" ", folded)
    if "o" in folded and (box := _BOX.search(folded)):
        return f"po box {box[1]}", ""
    segments = [_segment(part) for part in _SPLIT.split(folded)]
    return _placed([part for part in segments if part])


def address_parts(number: str, street: str) -> tuple[str, str]:
    """House number or name and street from separate columns, in the form of `address`."""
    if len(number) + len(street) > LONGEST:
        return "", ""
    settled = _parts(number, street)
    for _ in range(_ROUNDS):
        before, settled = settled, _parts(*settled)
        if before == settled:
            break
    return settled if len("|".join(settled)) < LONGEST else ("", "")


def _parts(number: str, street: str) -> tuple[str, str]:
    name = house_name(number)
    return (name, road(street)) if name else lone_road(street)


@lru_cache(maxsize=CACHED >> 3)
def house_name(number: str) -> str:
    """The number or name of a house from a separate column."""
    house = _segment(fold(number).strip())
    found = _NUMBERED.match(house)
    return _number(found) if found and found.end() == len(house) else _name(house)


@lru_cache(maxsize=CACHED >> 2)
def road(street: str) -> str:
    """The street from a separate column."""
    return _street(_segment(fold(street).strip()))


@lru_cache(maxsize=CACHED >> 3)
def lone_road(street: str) -> tuple[str, str]:
    """A street without a known house: its number can be in front of it."""
    road = _segment(fold(street).strip())
    if (ahead := _NUMBERED.match(road)) and ahead.end() < len(road):
        return _number(ahead), _street(road[ahead.end() :])
    return "", _street(road)


def _segment(part: str) -> str:
    part = part.strip()
    if part.startswith(_CARE_OF_PREFIXES):
        part = _CARE_OF.sub("", part)
    if _WITHIN.search(part):
        part = _FLAT.sub(" ", _FLOOR.sub(" ", part))
    return _NUMBER_WORD.sub("", " ".join(part.replace(".", " ").split()).strip(" -/"))


def _number(found: re.Match[str]) -> str:
    first = found[1].replace(" ", "").lstrip("0") or "0"
    return f"{first} {found[2].lstrip('0')}" if found[2] else first


def _placed(segments: list[str]) -> tuple[str, str]:
    for i, part in enumerate(segments):
        for found in _NUMBERED.finditer(part):
            behind = part[found.end() :].strip()
            if behind and (found.start() == 0 or ends_street(behind)):
                return _number(found), _street(behind)
            if not behind and found.start() == 0 and i + 1 < len(segments):
                return _number(found), _street(segments[i + 1])
            if not behind and found.start() > 0 and ends_street(part[: found.start()]):
                return _number(found), _street(part[: found.start()])  # Hauptstraße 5: the number follows
    for i, part in enumerate(segments):
        if ends_street(part):
            return (_name(segments[i - 1]) if i else ""), _street(part)
    return (_name(segments[0]) if segments else ""), ""


def _written_out(found: list[str]) -> list[str]:
    """Abbreviations written out; `st` is a street unless a saint's name follows or it is the first word."""
    out: list[str] = []
    for i, word in enumerate(found):
        following = found[i + 1] if i + 1 < len(found) else ""
        if word in {"st", "saint"}:
            out.append("st" if i == 0 or following in _SAINTS or word == "saint" else "street")
        elif (
            i and word in _TYPES and (not following or following in _SIDES or _TYPES[word] in ALWAYS_STREETS)
        ):
            out.append(_TYPES[word])
        else:
            out.append(_WORDS.get(word, word))
    return out


def ends_street(part: str) -> bool:
    """Whether a part of an address, in lower case, ends with the name of a street."""
    found = _written_out(words(part))
    return bool(found) and (
        (len(found) > 1 and (found[-1] in _STREETS or (found[-1] in _SIDES and found[-2] in _STREETS)))
        or any(word in ALWAYS_STREETS for word in found[1:])
        or found[0] in _FOREIGN_STREETS
        or (len(found) == 1 and found[0] in _ONE_WORD_STREETS)
    )


def _street(part: str) -> str:
    found = _written_out(words(part))
    if len(found) > 1 and found[0] == "the":
        found = found[1:]
    whole = bool(found) and (found[-1] in _STREETS or found[-1] in _SIDES)
    if not whole:
        for i in range(1, len(found)):
            if found[i] in ALWAYS_STREETS:
                found = found[: i + 2] if found[i + 1] in _SIDES | ALWAYS_STREETS else found[: i + 1]
                break
    return " ".join(found)


def _name(part: str) -> str:
    found = [_WORDS.get(word, word) for word in words(part)]
    return " ".join(found[1:] if len(found) > 1 and found[0] == "the" else found)


def canonical_address(text: str) -> str:
    """An address as `number|street`; blank if it has neither."""
    number, road = address(text)
    return f"{number}|{road}" if number or road else ""


def number_and_street(canonical: str) -> str:
    """Number and street; blank unless both are known."""
    number, _, road = canonical.partition("|")
    return canonical.replace(" ", "") if number and road else ""


def street(canonical: str) -> str:
    """The street, without gaps."""
    return canonical.partition("|")[2].replace(" ", "")


def house(canonical: str) -> str:
    """The house's number or name."""
    return canonical.partition("|")[0]


_TOWN_WORDS: Final = {"gt": "great", "lt": "little", "saint": "st", "upon": "on", "mkt": "market", "nth": "north", "sth": "south", "upr": "upper", "lwr": "lower"}  # fmt: skip
_TOWN_ALIASES: Final = {
    "greater london": "london", "city of london": "london", "central london": "london", "newcastle on tyne": "newcastle", "hull": "kingston on hull",
    "caerdydd": "cardiff", "abertawe": "swansea", "casnewydd": "newport", "wrecsam": "wrexham", "londonderry": "derry", "bury st edmonds": "bury st edmunds",
}  # fmt: skip
_NEAR: Final = word_set("nr near")
_TOWN_DISTRICT = re.compile(r"(?<=[a-z])\s+[a-z]{1,2}[0-9][a-z0-9]?$")


@lru_cache(maxsize=CACHED)
def town(text: str) -> str:
    """A town in lower-case words: `Stratford-upon-Avon, Warks` gives `stratford on avon`; of several parts the first."""
    if len(text) > LONGEST:
        return ""
    settled = _town(text)
    for _ in range(_ROUNDS):
        before, settled = settled, _town(settled)
        if before == settled:
            break
    return settled if len(settled) <= LONGEST else ""


def _town(text: str) -> str:
    parts = [part for part in re.split(r"[,;\n(]+", _INLINE_POSTCODE.sub(" ", fold(text))) if part.strip()]
    if not parts:
        return ""
    found = [_TOWN_WORDS.get(word, word) for word in words(_TOWN_DISTRICT.sub("", parts[0].strip()))]
    for i, word in enumerate(found):
        if word in _NEAR and i:
            found = found[:i]
            break
    while len(found) > 1 and (found[0] in _NEAR or found[0] == "the"):
        found = found[1:]
    name = " ".join(found)
    return _TOWN_ALIASES.get(name, name)
