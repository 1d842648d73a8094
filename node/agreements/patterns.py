"""Which agencies compare with which: the usual patterns of an agreement of many parties.

A pattern only generates edges, which can also be drafted by hand. `template` writes them as a draft for an officer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from blindmatch.protocol.agreement import EDGE_TERMS, MEMBERS, Disclosure
from blindmatch.protocol.agreement.field_types import Identifier
from blindmatch.protocol.errors import ConfigError

REQUEST_RECORDS = 25
"""The default number of records in one request: a few names, not a file."""


class Pattern(StrEnum):
    """The shape of an agreement's edges."""

    BIPARTITE = "bipartite"  # every receiver learns from every sender
    STAR = "star"  # one hub learns from many; with `both`, each of them also from the hub
    ALL_PAIRS = "all-pairs"  # every member learns from every other
    REQUEST = "request"  # one agency asks with few records, many answer: hit or no hit


@dataclass(frozen=True)
class Choices:
    """The command's options; the officer edits the rest."""

    receivers: Sequence[str] = ()
    senders: Sequence[str] = ()
    pattern: Pattern = Pattern.BIPARTITE
    members: Sequence[str] = ()
    """Of `all-pairs`, and of a threshold."""
    both: bool = False
    receiver_kind: str = ""
    """Empty: the usual kind for the pattern."""
    sender_kind: str = ""
    disclosure: Disclosure = Disclosure.HITS
    value: str = ""
    decimals: int = 0
    minimum: int = 5
    band: int = 1
    report_to: Sequence[str] = ()
    max_records: int = 20_000
    asked_records: int = REQUEST_RECORDS
    """The most records of the agency that asks, for `request`."""
    tokens_per_record: int = 160
    at_least: int = 0
    """How many of the members must hold a key, for a threshold; 0: no threshold."""
    collector: str = ""
    epoch_days: int = 0
    """For a standing agreement; 0: it is not one."""
    checks_per_day: int = 0
    schema: str = "uk-person-company-2"


@dataclass(frozen=True)
class PatternSide:
    """The agencies on one side of a group of edges, the kind of their collections, and the most records of each."""

    agencies: tuple[str, ...]
    kind: str
    records: int


@dataclass(frozen=True)
class PatternGroup:
    """Edges with the same terms: every receiver with every sender except itself."""

    receiver: PatternSide
    sender: PatternSide


def check_choices(choices: Choices) -> None:
    """Check that the choices describe an agreement.

    Raises:
        ConfigError: too few or too many agencies for the pattern, or an option that does not belong to it.
        AgreementError: an agency's id is not valid.
    """
    if choices.disclosure not in EDGE_TERMS:
        raise ConfigError(
            f"{choices.disclosure.value} is not a disclosure of an edge",
            hint="Leave --disclosure out; a threshold is drafted with --threshold T, --member and --collector.",
        )
    for name in agencies(choices):
        Identifier().check("agency", name)
    _check_pattern(choices)
    terms = EDGE_TERMS[choices.disclosure]
    if terms.reads_values and not choices.value:
        raise ConfigError("a sum needs the fact that is added up", hint="Name it with --sum FIELD.")
    if choices.at_least:
        _check_threshold(choices)
    elif choices.collector:
        raise ConfigError("only a threshold has a collector", hint="Add --threshold T.")
    elif choices.members and choices.pattern is not Pattern.ALL_PAIRS:
        raise ConfigError(
            "members are for all-pairs and for a threshold", hint="Add --pattern all-pairs or --threshold T."
        )
    if choices.checks_per_day and choices.epoch_days <= 0:
        raise ConfigError("only a standing agreement has checks", hint="Add --standing DAYS.")
    if choices.epoch_days and not terms.lists_hits:
        hint = "Leave --standing out, or choose --disclosure hits."
        raise ConfigError("a standing agreement is for hits", hint=hint)


def _check_pattern(choices: Choices) -> None:
    pattern, edges = choices.pattern, bool(choices.receivers or choices.senders)
    if pattern is Pattern.ALL_PAIRS:
        if len(set(choices.members)) < 2:
            raise ConfigError("all-pairs needs at least two members", hint="Name each with --member.")
        if edges:
            problem = "all-pairs has members, neither receivers nor senders"
            raise ConfigError(problem, hint="Name each with --member.")
    elif (edges or not choices.at_least) and not (choices.receivers and choices.senders):
        problem = f"{pattern.value} needs a receiver and a sender"
        raise ConfigError(problem, hint="Name them with --receiver and --sender.")
    if pattern is Pattern.STAR and len(choices.receivers) > 1:
        raise ConfigError("a star has one hub", hint="Name it with --receiver, the others with --sender.")
    if choices.both and pattern is not Pattern.STAR:
        raise ConfigError("only a star has --both", hint="See --pattern star.")
    if pattern is Pattern.REQUEST and choices.disclosure is not Disclosure.HITS:
        raise ConfigError(
            "a request is answered with hit or no hit",
            hint="Facts come afterwards, from person to person; or choose another pattern.",
        )


def _check_threshold(choices: Choices) -> None:
    members = len(set(choices.members))
    if not 2 <= members <= MEMBERS:
        problem = f"a threshold has 2 to {MEMBERS} members, not {members}"
        raise ConfigError(problem, hint="Name each with --member.")
    if not 2 <= choices.at_least <= members:
        raise ConfigError(
            f"{choices.at_least} of {members} is no threshold",
            hint="Give --threshold a number from 2 to the number of members.",
        )
    if not choices.collector:
        hint = "Name it with --collector."
        raise ConfigError("a threshold needs an agency that collects", hint=hint)


def pattern_groups(choices: Choices) -> tuple[PatternGroup, ...]:
    """The pattern's edges."""
    own, other = _kinds(choices)
    if choices.pattern is Pattern.ALL_PAIRS:
        members = PatternSide(tuple(dict.fromkeys(choices.members)), own, choices.max_records)
        return (PatternGroup(members, members),)
    if not choices.receivers:
        return ()
    records = choices.asked_records if choices.pattern is Pattern.REQUEST else choices.max_records
    receiver = PatternSide(tuple(dict.fromkeys(choices.receivers)), own, records)
    sender = PatternSide(tuple(dict.fromkeys(choices.senders)), other, choices.max_records)
    forward, backward = PatternGroup(receiver, sender), PatternGroup(sender, receiver)
    return (forward, backward) if choices.both else (forward,)


def agencies(choices: Choices) -> tuple[str, ...]:
    """Every party, each once: receivers first, the collector and the agencies that get a result passed on last."""
    collector = (choices.collector,) if choices.collector else ()
    names = (*choices.receivers, *choices.senders, *choices.members, *collector, *choices.report_to)
    return tuple(dict.fromkeys(names))


def member_kind(choices: Choices) -> str:
    """The kind of collection of a threshold's members."""
    return _kinds(choices)[0]


def _kinds(choices: Choices) -> tuple[str, str]:
    """Forces and councils compare subjects with suppliers; agencies of one kind, or in a network, subjects with subjects."""
    alike = choices.pattern in (Pattern.ALL_PAIRS, Pattern.REQUEST)
    return choices.receiver_kind or "subjects", choices.sender_kind or ("subjects" if alike else "suppliers")
