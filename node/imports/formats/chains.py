"""Chains of ownership: from a company up to its holders, directly or through other companies.

A register of statements (BODS, FollowTheMoney) states one link at a time: a holder and the company that it holds. From each looked-up
company the links are followed upwards, breadth first, so that each holder is reached once, by the shortest chain. A chain lists its
links from the holder down to the company.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blindmatch.node.imports.formats.appointments import Appointment, appointment_drafts, appointment_facts
from blindmatch.node.imports.formats.context import CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.record_drafts import Draft, Part, parts_person_key

MAX_LINKS: Final = 8
"""The most links of one chain: a person eight companies away is not a useful lead."""
MAX_HOLDERS: Final = 1_000
"""The most holders above one company: a company with more is a fund, or the file is wrong."""

_CIRCLE: Final = "chains of ownership that form a circle, which were followed once round"
_TOO_LONG: Final = f"chains of ownership of more than {MAX_LINKS} links, which were followed up to that link"
_TOO_MANY: Final = f"companies with more than {MAX_HOLDERS} holders, of which the nearest were read"
_NO_COMMON_PERIOD: Final = (
    "chains of ownership whose links were never valid at the same time, which were left out"
)


@dataclass(frozen=True, slots=True)
class Link:
    """One statement: a holder has these interests in a company."""

    record: str
    holder: str
    held: str
    roles: tuple[str, ...]
    period: Period
    ended: bool
    transitive: bool = True
    """Whether a holder of the holder is a holder of the company, too."""
    indirect: bool = False
    parts: tuple[str, ...] = ()
    """The records of the links that an indirect interest consists of, where the statement names them."""


Chain = tuple[Link, ...]


@dataclass(slots=True)
class Graph:
    """The companies and links of a register, without names of people."""

    numbers: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity to canonical company number, or blank."""
    names: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity to its name."""
    above: dict[str, list[Link]] = field(default_factory=dict, repr=False)
    """Entity to the links of its holders."""
    records: dict[str, Link] = field(default_factory=dict, repr=False)
    """Record of a link to the link."""
    template: str = "has {} in {}"
    """The text of a link from its roles and company; `is {} of {}` where roles describe the holder."""

    def add(self, link: Link) -> None:
        """Add a link."""
        self.above.setdefault(link.held, []).append(link)
        if link.record:
            self.records[link.record] = link

    def facts(self, link: Link) -> dict[str, str]:
        """The facts of a link's holder by name; blank where unknown."""
        return appointment_facts(self.numbers.get(link.held, ""), "; ".join(link.roles), link.period)

    def label(self, entity: str) -> str:
        """A company's name and number, as far as the register has them."""
        name, number = self.names.get(entity, ""), self.numbers.get(entity, "")
        return f"{name} ({number})" if name and number else name or number or "a company without a name"

    def text(self, chain: Chain) -> str:
        """`has shareholding in Top Ltd (07654321) since 2019, which has …`; blank for one direct link."""
        if len(chain) == 1 and chain[0].indirect:
            parts = self._parts(chain[0])
            return self.text(parts) if len(parts) > 1 else "indirect, through companies that are not stated"
        if len(chain) == 1:
            return ""
        return ", which ".join(self._link_text(link) for link in chain)

    def _link_text(self, link: Link) -> str:
        text = self.template.format(" and ".join(link.roles) or "interest", self.label(link.held))
        start, end = link.period
        return text + (f" since {start}" if start and not end else f" {link.period.text}" if end else "")

    def _parts(self, whole: Link) -> Chain:
        """The chain that an indirect interest consists of, or an empty one."""
        below: dict[str, list[Link]] = {}
        for record in whole.parts[:MAX_HOLDERS]:
            if (part := self.records.get(record)) is not None:
                below.setdefault(part.holder, []).append(part)
        queue: deque[Chain] = deque([()])
        visited = {whole.holder}
        while queue:
            chain = queue.popleft()
            for link in below.get(chain[-1].held if chain else whole.holder, ()):
                if link.held == whole.held:
                    return (*chain, link)
                if link.held not in visited and len(chain) + 1 < MAX_LINKS:
                    visited.add(link.held)
                    queue.append((*chain, link))
        return ()

    def chains_above(self, company: str, context: ReadContext) -> Iterator[Chain]:
        """Every holder above a company, nearest first: each by its shortest chain, or by several direct links.

        Circles, chains over `MAX_LINKS` and holders over `MAX_HOLDERS` are not followed, and are counted as warnings.
        """
        queue: deque[tuple[str, Chain]] = deque([(company, ())])
        visited = {company}
        while queue:
            held, below = queue.popleft()
            direct: set[str] = set()
            for link in self.above.get(held, ()):
                if link.ended and not context.include_ceased:
                    context.ceased += 1
                    continue
                if link.holder == company or any(link.holder == other.holder for other in below):
                    context.warnings[_CIRCLE] += 1
                    continue
                if link.holder in visited and link.holder not in direct:
                    continue  # already reached by a shorter chain
                if len(visited) > MAX_HOLDERS:
                    context.warnings[_TOO_MANY] += 1
                    return
                chain = (link, *below)
                if link.holder not in direct and link.transitive and link.holder in self.above:
                    if len(chain) < MAX_LINKS:
                        queue.append((link.holder, chain))
                    else:
                        context.warnings[_TOO_LONG] += 1
                visited.add(link.holder)
                direct.add(link.holder)
                if common_period(chain) is None:
                    context.warnings[_NO_COMMON_PERIOD] += 1
                    continue
                yield chain


def common_period(chain: Sequence[Link]) -> Period | None:
    """When all links of a chain are valid, or None for never. The start is unknown if that of any link is."""
    starts = [link.period.start for link in chain]
    start = max(starts) if all(starts) else ""
    end = min((link.period.end for link in chain if link.period.end), default="")
    shorter = min(len(start), len(end))
    return None if start and end and start[:shorter] > end[:shorter] else Period(start, end)


def links_to_read(links: Sequence[Link], context: ReadContext) -> list[Link]:
    """The links to read, without those that have ended unless they are asked for; the omitted ones are counted."""
    chosen = [link for link in links if context.include_ceased or not link.ended]
    context.ceased += len(links) - len(chosen)
    return chosen


class HolderSearch:
    """The holders of looked-up companies, directly or through other companies.

    Args:
        register: the register's name.
        graph: its companies.
        links: its links, which are added to the graph.
        lookup: the looked-up companies; None: there are no holders.
        context: options and counts.
    """

    def __init__(
        self,
        register: str,
        graph: Graph,
        links: Iterable[Link],
        lookup: CompanyLookup | None,
        context: ReadContext,
    ) -> None:
        self._register = register
        self._graph = graph
        self._lookup = lookup
        self._context = context
        self._chains: dict[str, list[tuple[str, Chain]]] = {}
        """Holder to the numbers of its looked-up companies, and the chain to each."""
        if lookup is None:
            return
        for link in links:
            graph.add(link)
        for entity, number in graph.numbers.items():
            if number in lookup:
                for chain in graph.chains_above(entity, context):
                    self._chains.setdefault(chain[0].holder, []).append((number, chain))

    def __contains__(self, holder: str) -> bool:
        return holder in self._chains

    def drafts(
        self, holder: str, parts: list[Part], provenance: Mapping[str, str], *, corporate: bool, row: int
    ) -> Iterator[Draft]:
        """The drafts of one holder: one for each chain down to a looked-up company and record that names the company.

        Args:
            holder: its id in the register.
            parts: its names, dates and addresses.
            provenance: its record in the register.
            corporate: whether it is a company.
            row: the line or place of its statement.
        """
        graph = self._graph
        own = graph.numbers.get(holder, "") if corporate else ""
        if corporate:
            person = f"company/{own}" if own else ""
        else:
            person = parts_person_key(parts) and f"{self._register}/{holder}"
        for number, chain in self._chains[holder]:
            first = chain[0]
            indirect = len(chain) > 1 or first.indirect
            roles = "; ".join(first.roles) or "interest"
            appointment = Appointment(
                register=self._register,
                company=graph.numbers.get(first.held, ""),
                role=f"{'corporate ' if corporate else ''}{roles}{' (indirect)' if indirect else ''}",
                parts=parts,
                period=common_period(chain) or Period(),
                ended=any(link.ended for link in chain),
                corporate=corporate,
                # The chain has reached this holder's own holders; another register is searched where the chain ends.
                number="" if holder in graph.above else own,
                person=person,
                provenance={**provenance, "chain": graph.text(chain)},
                via=number if len(chain) > 1 else "",
            )
            yield from appointment_drafts(appointment, self._lookup, self._context, row)
