"""Telephone numbers to E.164 and e-mail addresses to one spelling."""

import re
from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED, word_set

DEFAULT_REGION: Final = "GB"
"""The country of a number without a country code."""

_SEPARATOR = re.compile(r"[/;,|\n]| or | and ", re.IGNORECASE)
_FLOAT = re.compile(r"\+?\d{7,15}\.0")
_LABEL = re.compile(r"^(?:tel(?:ephone)?|phone|mob(?:ile)?|fax|[tm])\b[.: ]*(?:no\b[.: ]*)?", re.IGNORECASE)
_EXTENSION = re.compile(r"(?:\bext(?:ension|n)?|\bx|#)[.:\s]*\d{1,7}$", re.IGNORECASE)
_DIALLABLE = re.compile(r"[\d\s()+.\-]+")
_DASHES = re.compile(r"[\u2010-\u2015\u2212]")


@lru_cache(maxsize=CACHED)
def phone(text: str) -> str:
    """A telephone number in E.164: `(0115) 496 0123 ext 4` gives `+441154960123`.

    Of several numbers in one field the first is used. A leading zero that a spreadsheet removed is restored. Only the length
    is checked, not whether a range is in use, because ranges change with the library's version.

    Raises:
        ValueError: not a number that can be dialled.
    """
    stripped = _LABEL.sub("", _DASHES.sub("-", text.replace("\u00a0", " ")).strip())
    if not stripped:
        return ""
    first = next((part.strip() for part in _SEPARATOR.split(stripped) if part.strip()), "")
    if _FLOAT.fullmatch(first):
        first = first[:-2]
    first = _EXTENSION.sub("", first).strip()
    if not _DIALLABLE.fullmatch(first):
        raise ValueError("not a telephone number")
    digits = re.sub(r"\D", "", first)
    if len(digits) < 7 or len(set(digits.lstrip("0"))) < 2:
        raise ValueError("not a telephone number")
    import phonenumbers  # noqa: PLC0415 - slow to import, and many lists hold no number

    try:
        number = phonenumbers.parse(first, DEFAULT_REGION)
    except phonenumbers.NumberParseException as error:
        raise ValueError("not a telephone number") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("not a telephone number: too long or too short")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_ANGLED = re.compile(r"<([^<>]+)>\s*$")
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"]+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_PLACEHOLDER_USERS: Final = word_set("none noemail no-email nomail na unknown test noone nobody null")
_PLACEHOLDER_DOMAINS: Final = word_set(
    "example.com example.org example.net example.co.uk none.com test.com noemail.com email.com"
)


@lru_cache(maxsize=CACHED)
def email(text: str) -> str:
    """An e-mail address in lower case: `Jane Doe <Jane.Doe+x@Example.GOV.UK>` gives `jane.doe+x@example.gov.uk`.

    Dots and plus-tags are kept, because each server decides whether they matter. Domains of other scripts become `xn--`.

    Raises:
        ValueError: not exactly one address, or a placeholder.
    """
    stripped = text.strip()
    if not stripped:
        return ""
    angled = _ANGLED.search(stripped)
    address = (angled[1] if angled else stripped).strip().casefold()
    address = address.removeprefix("mailto:").rstrip(".,;")
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise ValueError("not an e-mail address")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError("not an e-mail address") from error
    if not _DOMAIN.fullmatch(domain) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise ValueError("not an e-mail address")
    if not local.isascii():
        raise ValueError("not an e-mail address: letters that no mailbox here has")
    if local in _PLACEHOLDER_USERS or domain in _PLACEHOLDER_DOMAINS:
        raise ValueError("a stand-in for an address that is not known")
    return f"{local}@{domain}"
