"""Who compares with whom: the usual patterns of an agreement of many parties.

A pattern is nothing but edges: what it makes can be drafted by hand. `template` writes it out for an officer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from blindmatch.protocol.agreement import EDGE_TERMS, MEMBERS, Disclosure, validation
from blindmatch.protocol.errors import ConfigError

ASKED = 25
"""Records that one request may carry, unless the officer says otherwise: a few names, not a file."""


class Pattern(StrEnum):
    """The shape of an agreement's edges."""

    BIPARTITE = "bipartite"  # every receiver learns from every sender
    STAR = "star"  # one hub learns from many; with `both`, each of them also from the hub
    ALL_PAIRS = "all-pairs"  # every member learns from every other
    REQUEST = "request"  # one asks with few records, many answer: hit or no hit


@dataclass(frozen=True)
class Choices:
    """What the command's options say; the officer edits the rest."""

    receivers: Sequence[str] = ()
    senders: Sequence[str] = ()
    pattern: Pattern = Pattern.BIPARTITE
    members: Sequence[str] = ()
    """Of `all-pairs`, and of a threshold."""
    both: bool = False
    receiver_kind: str = ""
    """Empty: what the pattern usually compares."""
    sender_kind: str = ""
    disclosure: Disclosure = Disclosure.HITS
    value: str = ""
    decimals: int = 0
    minimum: int = 5
    band: int = 1
    report_to: Sequence[str] = ()
    max_records: int = 20_000
    asked_records: int = ASKED
    """Of the one who asks, for `request`."""
    tokens_per_record: int = 160
    at_least: int = 0
    """Of the members, for a threshold; 0: none."""
    collector: str = ""
    epoch_days: int = 0
    """Of a standing agreement; 0: it is none."""
    checks_per_day: int = 0
    schema: str = "uk-person-company-2"


@dataclass(frozen=True)
class Group:
    """Edges with the same terms: every receiver with every sender but itself."""

    receivers: tuple[str, ...]
    senders: tuple[str, ...]
    receiver_kind: str
    sender_kind: str
    receiver_records: int
    sender_records: int


def check(choices: Choices) -> None:
    """Whether the choices make an agreement.

    Raises:
        ConfigError: an agency too few or too many for the pattern, or an option that it has no use for.
        AgreementError: an agency's id is none.
    """
    for name in agencies(choices):
        validation.identifier("agency", name)
    edges = bool(choices.receivers or choices.senders)
    if choices.pattern is Pattern.ALL_PAIRS:
        _need(
            len(set(choices.members)) >= 2, "all-pairs needs two members at least", "Name each with --member."
        )
        _need(not edges, "all-pairs has members, neither receivers nor senders", "Name each with --member.")
    elif edges or not choices.at_least:
        _need(
            bool(choices.receivers and choices.senders),
            f"{choices.pattern.value} needs a receiver and a sender",
            "Name them with --receiver and --sender.",
        )
    if choices.pattern is Pattern.STAR and edges:
        _need(
            len(choices.receivers) == 1,
            "a star has one hub",
            "Name it with --receiver, the others with --sender.",
        )
    _need(
        choices.pattern is Pattern.STAR or not choices.both, "only a star has --both", "See --pattern star."
    )
    if choices.pattern is Pattern.REQUEST:
        _need(
            choices.disclosure is Disclosure.HITS,
            "a request is answered with hit or no hit",
            "Facts come afterwards, from person to person; or choose another pattern.",
        )
    _need(
        not EDGE_TERMS[choices.disclosure].reads_values or bool(choices.value),
        "a sum needs the fact that is added up",
        "Name it with --sum FIELD.",
    )
    _check_threshold(choices)
    _need(
        choices.epoch_days > 0 or not choices.checks_per_day,
        "only a standing agreement has checks",
        "Add --standing DAYS.",
    )
    _need(
        not choices.epoch_days or EDGE_TERMS[choices.disclosure].lists_hits,
        "a standing agreement is for hits",
        "Leave --standing out, or choose --disclosure hits.",
    )


def groups(choices: Choices) -> tuple[Group, ...]:
    """The pattern's edges."""
    own, other = _kinds(choices)
    if choices.pattern is Pattern.ALL_PAIRS:
        members = tuple(dict.fromkeys(choices.members))
        return (Group(members, members, own, own, choices.max_records, choices.max_records),)
    if not choices.receivers:
        return ()
    asking = choices.asked_records if choices.pattern is Pattern.REQUEST else choices.max_records
    there = Group(
        tuple(dict.fromkeys(choices.receivers)),
        tuple(dict.fromkeys(choices.senders)),
        own,
        other,
        asking,
        choices.max_records,
    )
    if not choices.both:
        return (there,)
    back = replace(
        there,
        receivers=there.senders,
        senders=there.receivers,
        receiver_kind=other,
        sender_kind=own,
    )
    return there, back


def agencies(choices: Choices) -> tuple[str, ...]:
    """Every party, each once: receivers first, the collector and those that a result is passed on to last."""
    collector = (choices.collector,) if choices.collector else ()
    named = (*choices.receivers, *choices.senders, *choices.members, *collector, *choices.report_to)
    return tuple(dict.fromkeys(named))


def member_kind(choices: Choices) -> str:
    """What a threshold's members compare."""
    return _kinds(choices)[0]


def _kinds(choices: Choices) -> tuple[str, str]:
    """Forces and councils compare subjects with suppliers; agencies of one kind, or in a network, subjects with subjects."""
    alike = choices.pattern in (Pattern.ALL_PAIRS, Pattern.REQUEST)
    return choices.receiver_kind or "subjects", choices.sender_kind or ("subjects" if alike else "suppliers")


def _check_threshold(choices: Choices) -> None:
    if not choices.at_least:
        _need(not choices.collector, "only a threshold has a collector", "Add --threshold T.")
        _need(
            choices.pattern is Pattern.ALL_PAIRS or not choices.members,
            "members are for all-pairs and for a threshold",
            "Add --pattern all-pairs or --threshold T.",
        )
        return
    members = len(set(choices.members))
    _need(
        2 <= members <= MEMBERS,
        f"a threshold has 2 to {MEMBERS} members, not {members}",
        "Name each with --member.",
    )
    _need(
        2 <= choices.at_least <= members,
        f"{choices.at_least} of {members} is no threshold",
        "See --threshold.",
    )
    _need(bool(choices.collector), "a threshold needs an agency that collects", "Name it with --collector.")


def _need(met: bool, problem: str, hint: str) -> None:
    if not met:
        raise ConfigError(problem, hint=hint)
