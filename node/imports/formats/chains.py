"""Chains of ownership: from a company up to whoever holds it, directly or through other companies.

A register of statements (BODS, FollowTheMoney) says who holds what, one link at a time. From each company that our records
name, the links are climbed breadth first, so that everybody is reached once, by the shortest way. A chain is listed from the
holder down to the company.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blindmatch.node.imports.formats.appointments import Appointment, CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.drafts import Part

MAX_LINKS: Final = 8
"""Links in one chain. Longer ones exist to be lost in; a person eight companies away is no lead."""
MAX_HOLDERS: Final = 1_000
"""Holders above one company: more are a fund's investors, or a file gone wrong."""

_CIRCLE: Final = "chains of ownership that lead back into themselves, and were not followed round"
_DEEP: Final = f"chains of ownership of more than {MAX_LINKS} links, and were not followed further"
_WIDE: Final = f"companies with more than {MAX_HOLDERS} holders, of which the nearest were taken"
_APART: Final = "chains of ownership whose links never held at one time, and were left out"


@dataclass(frozen=True, slots=True)
class Link:
    """One statement: a holder has these interests in what is held."""

    record: str
    holder: str
    held: str
    roles: tuple[str, ...]
    period: Period
    over: bool
    leads_on: bool = True
    """Whether who stands behind the holder stands behind what is held, too."""
    indirect: bool = False
    parts: tuple[str, ...] = ()
    """The records of the links that an indirect interest is made of, where the statement says them."""


Chain = tuple[Link, ...]


@dataclass(slots=True)
class Graph:
    """What a register says of companies, without a name of a person."""

    numbers: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity to canonical company number, or blank."""
    names: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity to its name."""
    above: dict[str, list[Link]] = field(default_factory=dict, repr=False)
    """Entity to the links of its holders."""
    records: dict[str, Link] = field(default_factory=dict, repr=False)
    """Record of a link to the link."""
    phrase: str = "has {} in {}"
    """How a holder's roles and what is held are put; `is {} of {}` where roles say what the holder is."""

    def add(self, link: Link) -> None:
        """One more link."""
        self.above.setdefault(link.held, []).append(link)
        if link.record:
            self.records[link.record] = link

    def called(self, entity: str) -> str:
        """A company in words: its name and number as far as they are known."""
        name, number = self.names.get(entity, ""), self.numbers.get(entity, "")
        return f"{name} ({number})" if name and number else name or number or "a company without a name"

    def words(self, chain: Chain) -> str:
        """`has shareholding in Top Ltd (07654321) since 2019, which has …`; blank for one direct link."""
        if len(chain) == 1 and chain[0].indirect:
            parts = self._parts(chain[0])
            return self.words(parts) if len(parts) > 1 else "indirect, through companies that are not stated"
        if len(chain) == 1:
            return ""
        return ", which ".join(self._link_words(link) for link in chain)

    def _link_words(self, link: Link) -> str:
        said = self.phrase.format(" and ".join(link.roles) or "interest", self.called(link.held))
        start, end = link.period
        return said + (f" since {start}" if start and not end else f" {link.period.words}" if end else "")

    def _parts(self, whole: Link) -> Chain:
        """The chain that an indirect interest is made of, or nothing."""
        below: dict[str, list[Link]] = {}
        for record in whole.parts[:MAX_HOLDERS]:
            if (part := self.records.get(record)) is not None:
                below.setdefault(part.holder, []).append(part)
        ways: deque[Chain] = deque([()])
        met = {whole.holder}
        while ways:
            way = ways.popleft()
            for link in below.get(way[-1].held if way else whole.holder, ()):
                if link.held == whole.held:
                    return (*way, link)
                if link.held not in met and len(way) + 1 < MAX_LINKS:
                    met.add(link.held)
                    ways.append((*way, link))
        return ()

    def climb(self, company: str, seen: ReadContext, *, include_ceased: bool = False) -> Iterator[Chain]:
        """Every holder above a company, nearest first; each by its shortest chain, or several direct links.

        Circles, endless chains and crowds end there, counted as warnings.
        """
        ways: deque[tuple[str, Chain]] = deque([(company, ())])
        met = {company}
        while ways:
            held, below = ways.popleft()
            here: set[str] = set()
            for link in self.above.get(held, ()):
                if link.over and not include_ceased:
                    seen.ceased += 1
                    continue
                if link.holder == company or any(link.holder == other.holder for other in below):
                    seen.warn(_CIRCLE)
                    continue
                if link.holder in met and link.holder not in here:
                    continue  # reached before, by a shorter way
                if len(met) > MAX_HOLDERS:
                    seen.warn(_WIDE)
                    return
                chain = (link, *below)
                if link.holder not in here and link.leads_on and link.holder in self.above:
                    if len(chain) < MAX_LINKS:
                        ways.append((link.holder, chain))
                    else:
                        seen.warn(_DEEP)
                met.add(link.holder)
                here.add(link.holder)
                if common_period(chain) is None:
                    seen.warn(_APART)
                    continue
                yield chain


def common_period(chain: Sequence[Link]) -> Period | None:
    """When all links of a chain held; None where they never did. A start that one link does not say is not known."""
    starts = [link.period.start for link in chain]
    start = max(starts) if all(starts) else ""
    end = min((link.period.end for link in chain if link.period.end), default="")
    shorter = min(len(start), len(end))
    return None if start and end and start[:shorter] > end[:shorter] else Period(start, end)


def chains_to_companies(
    graph: Graph, wanted: CompanyLookup, seen: ReadContext, *, include_ceased: bool = False
) -> dict[str, list[tuple[str, Chain]]]:
    """Holder to the wanted company numbers that it stands behind, each with the chain."""
    found: dict[str, list[tuple[str, Chain]]] = {}
    for entity, number in graph.numbers.items():
        if number in wanted:
            for chain in graph.climb(entity, seen, include_ceased=include_ceased):
                found.setdefault(chain[0].holder, []).append((number, chain))
    return found


def chain_appointments(
    graph: Graph,
    ways: Sequence[tuple[str, Chain]],
    *,
    register: str,
    parts: list[Part],
    person: str = "",
    corporate: bool = False,
    provenance: Mapping[str, str],
) -> Iterator[Appointment]:
    """What a holder's statement says together with the chains down to the wanted companies.

    Args:
        graph: the register.
        ways: from `behind`, of this holder.
        register: its name.
        parts: the holder's names, dates and addresses.
        person: equal for records of one person.
        corporate: the holder is a company.
        provenance: where in the register.
    """
    for number, chain in ways:
        first = chain[0]
        indirect = len(chain) > 1 or first.indirect
        roles = "; ".join(first.roles) or "interest"
        own = graph.numbers.get(first.holder, "") if corporate else ""
        yield Appointment(
            register=register,
            company=graph.numbers.get(first.held, ""),
            role=f"{'corporate ' if corporate else ''}{roles}{' (indirect)' if indirect else ''}",
            parts=parts,
            period=common_period(chain) or Period(),
            over=any(link.over for link in chain),
            corporate=corporate,
            # Who stands behind it here was reached by the chain; another register is asked where this one ends.
            number="" if first.holder in graph.above else own,
            person=person,
            provenance={**provenance, "chain": graph.words(chain)},
            via=number if len(chain) > 1 else "",
        )
