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
"""Titles also when nothing follows, or behind the forenames; others (`Col`, `Gen`) may be somebody's name."""
SUFFIXES: Final = word_set(
    "jr jnr junior sr snr senior esq esquire obe mbe cbe kbe dbe gbe kcb dcb bsc msc mba llb phd dphil mphil mp msp qc kc frcs frcp "
    "fca aca acca jp mep frs frse kcmg cmg rn ii iii iv 2nd 3rd"
)
"""`ma` and `ba` are degrees and surnames: they stay."""
_DOTTED: Final = word_set("obe mbe cbe kbe dbe gbe kcb dcb phd bsc msc mba llb frs kcmg cmg")
"""Written as single letters with dots, these are honours even behind a forename, where `J.P.` are two initials."""
PARTICLES: Final = word_set(
    "van von der den de del della dello degli dei delle dalla di da do dos das du la le lo los las el al ul ur as ash "
    "bin bint binte ibn ter ten te zu zum zur vom st saint mac mc fitz ap san santa af av vander vande abu"
)
"""Words that belong to the surname behind them."""
_IRISH: Final = word_set(
    "brien neill neil connor conor sullivan reilly donnell hara keefe keeffe leary rourke shea toole dowd grady mahony mahoney "
    "malley flaherty callaghan donoghue donohue driscoll farrell gorman hagan hanlon kane loughlin meara regan riordan dwyer "
    "rorke boyle byrne doherty dea halloran hare sheehan shaughnessy flynn herlihy"
)
"""Surnames that follow a lone `O`, which elsewhere is an initial."""
_ABSENT: Final = frozenset(
    ("n/a", "n.a.", "na.", "unknown", "not known", "not given", "not stated", "not provided", "nil", "tbc", "tba", "anon", "anonymous", "?")
)  # fmt: skip
_ABSENT_EXACTLY: Final = frozenset(("NULL", "NaN", "None", "#N/A", "<NA>"))  # Null and Nan are names

_MARKED = re.compile(r"""[(\[{."'“”„«»\u2018]""")  # without one of these there is neither initial nor aside
_INITIAL = re.compile(r"(?<!\w)([^\W\d_])\.")
_ASIDE = re.compile(
    r"""[(\[{][^)\]}]*[)\]}]|["“”„«»][^"“”„«»]*["“”„«»]|(?<!\w)['\u2018][^'\u2019]+['\u2019](?!\w)"""
)
_BORN = re.compile(
    r"(?<=\w)[\s,]+(?:née|nee|né|formerly|born|geb\.?|aka|a\.k\.a\.?|known as)\s+\w.*", re.IGNORECASE
)
_M_APOSTROPHE = re.compile(r"\b[Mm]['\u2019\u2018`](?=[A-Za-z]{3})")
_CHILD_OF = re.compile(r"\s+(?:[sdw]\s*/\s*o|a\s*/\s*[lp])\.?\s+", re.IGNORECASE)
_ORDINAL = re.compile(r"[0-9]+(?:st|nd|rd|th)")
_EASTERN = re.compile(r"[\u3400-\u9fff\uac00-\ud7a3\u3005]+")
_TWO_SIGNS: Final = frozenset(("欧阳", "歐陽", "司马", "司馬", "诸葛", "諸葛", "上官", "东方", "慕容", "南宫", "남궁", "황보", "선우"))  # fmt: skip


def _said(canonical: str) -> str:
    return "" if canonical in _ABSENT or len(canonical) > LONGEST else canonical


def _clean(text: str) -> str:
    """Without asides in brackets or quotes, unless nothing else is there; initials parted; blank where it says nothing."""
    stripped = text.strip()
    if len(stripped) > LONGEST or stripped.casefold() in _ABSENT or stripped in _ABSENT_EXACTLY:
        return ""
    if not _MARKED.search(stripped):
        return stripped
    outside = _ASIDE.sub(" ", stripped)
    return _INITIAL.sub(r"\1 ", outside if words(outside) else stripped)


def _without_titles(found: list[str]) -> list[str]:
    start = 0
    while start < len(found) and (
        found[start] in TITLES
        or (start + 1 < len(found) and (found[start] == "the" or _ORDINAL.fullmatch(found[start])))
    ):
        start += 1
    if start == len(found) and found and found[-1] not in _ALWAYS_TITLES:
        start -= 1
    return found[start:]


def _without_suffixes(found: list[str], dotted: frozenset[str] = SUFFIXES) -> list[str]:
    end = len(found)
    while end > 1:
        if found[end - 1] in SUFFIXES:
            end -= 1
            continue
        start = end
        while start > 1 and len(found[start - 1]) == 1:
            start -= 1
        while end - start > 1 and "".join(found[start:end]) not in dotted:
            start += 1
        if end - start < 2:
            break
        end = start
    return found[:end]


def _joined(found: list[str]) -> str:
    if len(found) > 1 and "saint" in found:
        found = ["st" if word == "saint" else word for word in found]
    return "".join(found)


@lru_cache(maxsize=CACHED)
def forenames(text: str) -> str:
    """Lower-case ASCII words, one space between, titles in front dropped: `Dr. Seán-Óg` gives `sean og`."""
    return _said(" ".join(_without_titles(words(_clean(text)))))


@lru_cache(maxsize=CACHED)
def surname(text: str) -> str:
    """Lower-case ASCII letters without gaps, suffixes and maiden names dropped: `O'Brien-Smith OBE` gives `obriensmith`."""
    current = _BORN.sub("", _M_APOSTROPHE.sub("Mc", _clean(text)))
    return _said(_joined(_without_suffixes(words(current))))


@lru_cache(maxsize=CACHED)
def split_full_name(text: str) -> tuple[str, str]:
    """A whole name as (forenames, surname), each canonical.

    `SURNAME, Forenames` splits at the comma, `SURNAME Forenames` and `Forenames TWO SURNAMES` where the capitals end or
    begin, `X s/o Y` at the patronymic, Chinese and Korean names behind the family name. Otherwise the last word is
    the surname, with the particles before it. A single word is a surname.
    """
    eastern = _split_eastern(text)
    if eastern:
        return eastern
    cleaned = _BORN.sub("", _M_APOSTROPHE.sub("Mc", _clean(text)))
    child, *parent = map(words, _CHILD_OF.split(cleaned, maxsplit=1))
    if child and any(parent):
        return " ".join(_without_titles(child)), _joined(_without_suffixes(parent[0]))
    before, comma, after = cleaned.partition(",")
    if comma and (behind := _without_titles(words(after))) and not set(behind) <= SUFFIXES:
        while len(behind) > 1 and behind[-1] in _ALWAYS_TITLES:
            behind.pop()
        if behind[0] not in _ALWAYS_TITLES:
            family = _without_suffixes(_without_titles(words(before)))
            return " ".join(_without_suffixes(behind, _DOTTED)), _joined(family)
    return _split_words(before if comma else cleaned)


def _split_words(text: str) -> tuple[str, str]:
    marked = [(word, _shouts(part)) for part in text.split() for word in words(part)]
    found = [word for word, _ in marked]
    found = _without_suffixes(found)
    marked = marked[: len(found)]
    kept = _without_titles(found)
    marked = marked[len(found) - len(kept) :]
    if not kept:
        return "", ""
    loud = [capitals for _, capitals in marked]
    quiet = next((i for i, capitals in enumerate(loud) if not capitals), len(kept))
    if 0 < quiet < len(kept) and not any(loud[quiet:]):
        return " ".join(kept[quiet:]), _joined(kept[:quiet])
    start = len(kept) - 1
    if not loud[0] and loud[-1]:
        while start > 1 and loud[start - 1]:
            start -= 1
    while start > 1 and (kept[start - 1] in PARTICLES or (kept[start - 1] == "o" and kept[start] in _IRISH)):
        start -= 1
    return " ".join(kept[:start]), _joined(kept[start:])


def _shouts(part: str) -> bool:
    """Whether a word is in capitals as surnames are; two letters may be initials."""
    letters = [letter for letter in part if letter.isalpha()]
    return len(letters) > 2 and all(letter.isupper() for letter in letters)


def _split_eastern(text: str) -> tuple[str, str] | None:
    parts = text.split()
    if not 1 <= len(parts) <= 2 or not all(_EASTERN.fullmatch(part) for part in parts):
        return None
    if len(parts) == 1:
        whole = parts[0]
        cut = 2 if len(whole) > 3 or whole[:2] in _TWO_SIGNS else 1
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
"""Endings that say what kind of company it is, longest first; registers and invoices differ in them."""
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

    `&` and `+` are `and`; usual abbreviations are written out; a leading `the` is dropped; lone letters are put together.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST or stripped.casefold() in _ABSENT or stripped in _ABSENT_EXACTLY:
        return ""
    parted = _TRADING_AS.sub(" trading as ", stripped).replace("&", " and ").replace("+", " and ")
    found = _letters_together(words(parted))
    for i in range(1, len(found)):
        if found[i : i + 2] == ["trading", "as"] or found[i : i + 2] == ["formerly", "known"]:
            found = found[:i]
            break
    while len(found) > 1 and found[0] == "the":
        found = found[1:]
    return _said(" ".join(_COMPANY_WORDS.get(word, word) for word in _without_form(found)))


def _without_form(found: list[str]) -> list[str]:
    while True:
        for form in LEGAL_FORMS:
            if len(found) > len(form) and tuple(found[-len(form) :]) == form:
                found = found[: -len(form)]
                if len(found) > 1 and found[-1] == "and":
                    found = found[:-1]
                break
        else:
            return found


def _letters_together(found: list[str]) -> list[str]:
    together: list[str] = []
    run = ""
    for word in [*found, ""]:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            together.append(run)
            run = ""
        if word:
            together.append(word)
    return together
