"""Names of people and of companies to canonical text."""

import re
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED, LONGEST, word_set, words

TITLES: Final = word_set(
    "mr mrs ms miss mx dr prof professor sir dame lord lady rev revd reverend hon honourable rt capt captain col colonel "
    "sgt sergeant cllr councillor messrs madam madame mme mlle mons herr frau fru senor senora sra signor signora "
    "maj lt lieut cdr cmdr cpl pte brig gen sqn ldr flt wg pc dc ds insp admiral adm archbishop viscount viscountess countess marquess duchess baroness judge justice rabbi imam hrh hm"
)
_ALWAYS_TITLES: Final = word_set("mr mrs ms miss mx dr prof sir dame lord lady rev revd hon messrs mme mlle")
"""Titles even if nothing follows, or after the forenames; others (`Col`, `Gen`) can be names."""
SUFFIXES: Final = word_set(
    "jr jnr junior sr snr senior esq esquire obe mbe cbe kbe dbe gbe kcb dcb bsc msc mba llb phd dphil mphil mp msp qc kc frcs frcp "
    "fca aca acca jp mep frs frse kcmg cmg rn ii iii iv 2nd 3rd"
)
"""`ma` and `ba` are both degrees and surnames, and are kept."""
_NEVER_NAMES: Final = word_set("mr mrs ms miss mx dr prof sir rev revd messrs mme mlle")
"""Titles that are no surnames; others are (`Lord`, `Bishop`, `Major`), and are one where no other word is left."""
_ALSO_SURNAMES: Final = word_set("mba mbe obe kc")
"""Honours and degrees that are surnames, too; those are written in small letters, unless the whole name is in capitals."""
_HONOURS: Final = word_set("mbe obe")
"""Those of `_ALSO_SURNAMES` that, in capitals, stand behind a surname alone: `Smith OBE`."""
_AGES: Final = word_set("junior senior")
_DOTTED: Final = word_set("obe mbe cbe kbe dbe gbe kcb dcb phd bsc msc mba llb frs kcmg cmg")
"""Written as letters with dots, these are honours even after a forename, where `J.P.` are two initials."""
PARTICLES: Final = word_set(
    "van von der den de del della dello degli dei delle dalla di da do dos das du la le lo los las el al ul ur as ash "
    "bin bint binte ibn ter ten te zu zum zur vom st saint mac mc fitz ap san santa af av vander vande abu"
)
"""Words that belong to the surname that follows."""
_WHOLE_NAME_PARTICLES: Final = PARTICLES | word_set("ni nic nig ui ua mhic op aan het t und ferch")
"""The same inside a whole name, where a forename stands before them."""
_IRISH: Final = word_set(
    "brien neill neil connor conor sullivan reilly donnell hara keefe keeffe leary rourke shea toole dowd grady mahony mahoney "
    "malley flaherty callaghan donoghue donohue driscoll farrell gorman hagan hanlon kane loughlin meara regan riordan dwyer "
    "rorke boyle byrne doherty dea halloran hare sheehan shaughnessy flynn herlihy"
)
"""Surnames that follow a single `O`, which otherwise is an initial."""
_PLACEHOLDERS: Final = frozenset(
    ("n/a", "n.a.", "na.", "unknown", "not known", "not given", "not stated", "not provided", "nil", "tbc", "tba", "anon", "anonymous", "?")
)  # fmt: skip
_PLACEHOLDERS_EXACT: Final = frozenset(
    ("NULL", "NaN", "None", "#N/A", "<NA>")
)  # in other capitals, Null and Nan are names

_HAS_MARKS = re.compile(
    r"""[(\[{."'“”„«»\u2018]"""
)  # without one of these there is neither an initial nor a remark
_INITIAL = re.compile(r"(?<!\w)([^\W\d_])\.")
_ASIDE = re.compile(
    r"""[(\[{][^)\]}]*[)\]}]|["“”„«»][^"“”„«»]*["“”„«»]|(?<!\w)['\u2018][^'\u2019]+['\u2019](?!\w)"""
)
_FORMER_NAME = re.compile(
    r"(?<=\w)[\s,]+(?:née|nee|né|formerly|born|geb\.?|aka|a\.k\.a\.?|known as)\s+\w.*", re.IGNORECASE
)
_M_APOSTROPHE = re.compile(r"\b[Mm]['\u2019\u2018`](?=[A-Za-z]{3})")
_PATRONYMIC = re.compile(r"\s+(?:[sdw]\s*/\s*o|a\s*/\s*[lp])\.?\s+", re.IGNORECASE)
_HYPHENS = re.compile(r"\s*[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]\s*")
_ORDINAL = re.compile(r"[0-9]+(?:st|nd|rd|th)")
_EASTERN = re.compile(r"[\u3400-\u9fff\uac00-\ud7a3\u3005]+")
_TWO_CHARACTER_SURNAMES: Final = frozenset(("欧阳", "歐陽", "司马", "司馬", "诸葛", "諸葛", "上官", "东方", "慕容", "南宫", "남궁", "황보", "선우"))  # fmt: skip


def _blank_if_placeholder(canonical: str) -> str:
    return "" if canonical in _PLACEHOLDERS or len(canonical) > LONGEST else canonical


def _clean(text: str) -> str:
    """The text without remarks in brackets or quotes, unless there is nothing else, and with initials separated; blank for a placeholder."""
    stripped = text.strip()
    if len(stripped) > LONGEST or stripped.casefold() in _PLACEHOLDERS or stripped in _PLACEHOLDERS_EXACT:
        return ""
    if not _HAS_MARKS.search(stripped):
        return stripped
    outside = _ASIDE.sub(" ", stripped)
    return _INITIAL.sub(r"\1 ", outside if words(outside) else stripped)


def _without_titles(parts: list[str], never: frozenset[str] = _ALWAYS_TITLES) -> list[str]:
    start = 0
    while start < len(parts) and (
        parts[start] in TITLES
        or (start + 1 < len(parts) and (parts[start] == "the" or _ORDINAL.fullmatch(parts[start])))
    ):
        start += 1
    if start == len(parts) and parts and parts[-1] not in never:
        start -= 1
    return parts[start:]


def _without_suffixes(parts: list[str], dotted: frozenset[str] = SUFFIXES) -> list[str]:
    end = len(parts)
    while end > 1:
        if parts[end - 1] in SUFFIXES:
            end -= 1
            continue
        start = end
        while start > 1 and len(parts[start - 1]) == 1:
            start -= 1
        while end - start > 1 and "".join(parts[start:end]) not in dotted:
            start += 1
        if end - start < 2:
            break
        end = start
    return parts[:end]


def _joined(parts: list[str]) -> str:
    if len(parts) > 1 and "saint" in parts:
        parts = ["st" if word == "saint" else word for word in parts]
    return "".join(parts)


@lru_cache(maxsize=CACHED)
def forenames(text: str) -> str:
    """Lower-case ASCII words, one space between, leading titles removed: `Dr. Seán-Óg` gives `sean og`."""
    return _blank_if_placeholder(" ".join(_without_titles(words(_clean(text)))))


@lru_cache(maxsize=CACHED)
def surname(text: str) -> str:
    """Lower-case ASCII letters without gaps, suffixes and maiden names removed: `O'Brien-Smith OBE` gives `obriensmith`."""
    current = _FORMER_NAME.sub("", _M_APOSTROPHE.sub("Mc", _clean(text)))
    return _blank_if_placeholder(_joined(_without_suffixes(words(current))))


@lru_cache(maxsize=CACHED)
def split_full_name(text: str) -> tuple[str, str]:
    """A whole name as (forenames, surname), each canonical.

    `SURNAME, Forenames` is split at the comma, `SURNAME Forenames` and `Forenames TWO SURNAMES` where the capitals end or
    begin, `X s/o Y` at the patronymic, Chinese and Korean names after the surname. Otherwise the last word is
    the surname, with the particles before it. A single word is a surname.
    """
    eastern = _split_eastern(text)
    if eastern:
        return eastern
    cleaned = _FORMER_NAME.sub("", _M_APOSTROPHE.sub("Mc", _clean(text)))
    child, *parent = map(words, _PATRONYMIC.split(cleaned, maxsplit=1))
    if child and any(parent):
        return " ".join(_without_titles(child)), _joined(_without_suffixes(parent[0]))
    before, comma, after = cleaned.partition(",")
    if comma and words(before) and set(words(before)) <= _NEVER_NAMES:
        return split_full_name(after)  # `Dr, Ann Smith`
    if comma and (behind := _without_titles(words(after))) and not set(behind) <= SUFFIXES:
        while len(behind) > 1 and behind[-1] in _ALWAYS_TITLES:
            behind.pop()
        if behind[0] not in _ALWAYS_TITLES:
            behind = _without_suffixes(behind, _DOTTED)
            family = _without_suffixes(_without_titles(words(before), _NEVER_NAMES))
            # `Berg, Piet van der`: sorted by the word after the particles.
            small = {part for part in after.split() if part.islower()} & _WHOLE_NAME_PARTICLES
            while len(behind) > 1 and behind[-1] in small:
                family.insert(0, behind.pop())
            return " ".join(behind), _joined(family)
    return _split_words(before if comma else cleaned)


def _split_words(text: str) -> tuple[str, str]:
    """A whole name without a comma. A word with hyphens is one word, as `Smith-Jones` is one surname."""
    parts = [part for part in _HYPHENS.sub("-", text).split() if words(part)]
    units = [" ".join(words(part)) for part in parts]
    untitled = _without_titles(units, _NEVER_NAMES)
    titled = len(untitled) < len(units)
    parts = parts[len(units) - len(untitled) :]
    name = untitled if _ends_in_surname(untitled, parts) else _without_suffixes(untitled)
    if titled and len(name) == 1 and name[0] in SUFFIXES - _ALSO_SURNAMES - _AGES:
        name = []
    parts = parts[: len(name)]
    if not name:
        return "", ""
    start = _surname_start(name, parts)
    if start < 0:  # the surname is in front, in capitals
        return " ".join(name[-start:]), _family(name[:-start])
    return " ".join(name[:start]), _family(name[start:])


def _family(units: list[str]) -> str:
    return _joined([word for unit in units for word in unit.split()])


def _ends_in_surname(units: list[str], parts: list[str]) -> bool:
    """Whether the last word, which can be an honour, is the surname: nothing else would be, or it is in small letters."""
    if not units or units[-1] not in _ALSO_SURNAMES | _AGES:
        return False
    if len(units) == 2:
        stands_out = parts[-1].isupper() and not parts[0].isupper()
        return units[0] not in SUFFIXES and not (stands_out and units[-1] in _HONOURS)
    return units[-1] in _ALSO_SURNAMES and parts[-1].istitle() and len(units) > 1


def _surname_start(name: list[str], parts: list[str]) -> int:
    """Where the surname starts; for one in front of the forenames, the negative place where it ends."""
    loud = [
        _in_capitals(part) or (part.isupper() and unit in PARTICLES)
        for part, unit in zip(parts, name, strict=True)
    ]
    quiet = next((i for i, capitals in enumerate(loud) if not capitals), len(name))
    if 0 < quiet < len(name) and not any(loud[quiet:]) and any(map(_in_capitals, parts[:quiet])):
        return -quiet
    start = len(name) - 1
    if not loud[0] and loud[-1]:
        while start > 1 and loud[start - 1]:
            start -= 1
    while start > 1 and _is_particle(name[start - 1], parts[start - 1], name[start]):
        start -= 1
    if start == 1 and parts[0].islower() and not parts[-1].islower() and name[0] in PARTICLES:
        return 0  # `van der Berg` without a forename
    return start


def _is_particle(unit: str, part: str, following: str) -> bool:
    return (
        unit in _WHOLE_NAME_PARTICLES
        # With its accent, `Ó` is no initial.
        or (unit == "o" and (following in _IRISH or not part.isascii()))
    )


def _in_capitals(part: str) -> bool:
    """Whether a word is in capitals, as some files write surnames; two letters can be initials."""
    letters = [letter for letter in part if letter.isalpha()]
    return len(letters) > 2 and all(letter.isupper() for letter in letters)


def _split_eastern(text: str) -> tuple[str, str] | None:
    parts = text.split()
    if not 1 <= len(parts) <= 2 or not all(_EASTERN.fullmatch(part) for part in parts):
        return None
    if len(parts) == 1:
        whole = parts[0]
        cut = 2 if len(whole) > 3 or whole[:2] in _TWO_CHARACTER_SURNAMES else 1
        parts = [whole[:cut], whole[cut:]]
    return forenames(parts[1]), surname(parts[0])


LEGAL_FORMS: Final = tuple(
    sorted(
        (
            tuple(form.split())
            for form in [
                "limited",
                "ltd",
                "plc",
                "public limited company",
                "public limited co",
                "llp",
                "limited liability partnership",
                "lp",
                "limited partnership",
                "unlimited",
                "cic",
                "community interest company",
                "cio",
                "charitable incorporated organisation",
                "ccc",
                "cyf",
                "cyfyngedig",
                "pac",
                "inc",
                "incorporated",
                "corp",
                "corporation",
                "llc",
                "gmbh",
                "ag",
                "kg",
                "ug",
                "ohg",
                "sa",
                "sas",
                "sarl",
                "srl",
                "spa",
                "bv",
                "nv",
                "oy",
                "oyj",
                "ab",
                "aps",
                "pty",
                "proprietary",
                "pte",
                "pvt",
                "private",
                "kft",
                "sro",
                "doo",
                "ood",
                "eood",
                "sp z oo",
                "spolka z oo",
                "ooo",
                "oao",
                "dac",
                "designated activity company",
                "clg",
                "company limited by guarantee",
                "by guarantee",
                "uc",
                "ulc",
                "se",
                "royal charter company",
                "rcc",
                "societas europaea",
                "scio",
                "ltd liability co",
            ]
        ),
        key=lambda form: (-len(form), form),
    )
)
"""Legal forms at the end of a company's name, longest first; registers and invoices differ in them."""
_COMPANY_WORDS: Final = {
    "co": "company", "bros": "brothers", "intl": "international", "int": "international", "svcs": "services", "serv": "services",
    "mgmt": "management", "mgt": "management", "assoc": "associates", "assocs": "associates",
    "assn": "association", "dept": "department", "eng": "engineering", "engrs": "engineers", "mfg": "manufacturing",
    "mfrs": "manufacturers", "hldgs": "holdings", "hldg": "holding", "grp": "group", "gp": "group", "tech": "technology",
    "techs": "technologies", "univ": "university", "dev": "development", "devs": "developments", "props": "properties",
    "prop": "property", "cons": "construction", "constr": "construction", "inv": "investments", "invs": "investments",
    "ent": "enterprises", "entps": "enterprises", "natl": "national" }  # fmt: skip
_TRADING_AS = re.compile(r"(?<=[\w).])[\s,(]+(?:t\s*/\s*a|t\.a\.)(?=[\s:])", re.IGNORECASE)


@lru_cache(maxsize=CACHED)
def company(text: str) -> str:
    """A company's name without its legal form: `The A.B.C. Bros. & Co (Holdings) Ltd t/a Abc` gives `abc brothers and company holdings`.

    `&` and `+` become `and`; common abbreviations are written out; a leading `the` is removed; single letters are joined.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST or stripped.casefold() in _PLACEHOLDERS or stripped in _PLACEHOLDERS_EXACT:
        return ""
    parted = _TRADING_AS.sub(" trading as ", stripped).replace("&", " and ").replace("+", " and ")
    parts = _letters_together(words(parted))
    for i in range(1, len(parts)):
        if parts[i : i + 2] == ["trading", "as"] or parts[i : i + 2] == ["formerly", "known"]:
            parts = parts[:i]
            break
    while len(parts) > 1 and parts[0] == "the":
        parts = parts[1:]
    return _blank_if_placeholder(" ".join(_COMPANY_WORDS.get(word, word) for word in _without_form(parts)))


def _without_form(parts: list[str]) -> list[str]:
    while True:
        for form in LEGAL_FORMS:
            if len(parts) > len(form) and tuple(parts[-len(form) :]) == form:
                parts = parts[: -len(form)]
                if len(parts) > 1 and parts[-1] == "and":
                    parts = parts[:-1]
                break
        else:
            return parts


def _letters_together(parts: list[str]) -> list[str]:
    together: list[str] = []
    run = ""
    for word in [*parts, ""]:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            together.append(run)
            run = ""
        if word:
            together.append(word)
    return together
