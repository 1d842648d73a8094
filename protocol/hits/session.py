"""What both roles of `hits` and `hits+facts` share: the computer, the exchange of chunks, the sections of the tag table.

Threads: see `protocol.session`. `prepare_chunk` and the receiver's `unblind_chunk` are for worker threads.
"""

from typing import NotRequired

from blindmatch.protocol.hits.computing import Computer, LocalComputing
from blindmatch.protocol.hits.shapes import Section, Sections
from blindmatch.protocol.hits.transitions import RULES, HitsCheckpoint, HitsState
from blindmatch.protocol.session.base import bound_seed
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.session import Session, SessionTerms
from blindmatch.protocol.session.states import Role


class HitsTerms(SessionTerms):
    """The arguments of a session of either role, besides the edge. See `SessionTerms`.

    computer: creates the `Computing`; `LocalComputing` by default.
    """

    computer: NotRequired[Computer]


class HitsSession(Session[HitsState]):
    """One side of an edge that discloses hits. Use `Receiver` or `Sender`."""

    rules = RULES
    checkpoint = HitsCheckpoint

    def __init__(self, role: Role, context: EdgeContext, terms: HitsTerms) -> None:
        super().__init__(role, context, terms)
        computer = terms.get("computer", LocalComputing)
        self._computing = computer(bound_seed(terms["seed"], context), context)

    @property
    def tag_chunks(self) -> int:
        """Chunks of the sender's tag table; on the receiver's side 0 before its commitment."""
        return sum(section.layout.chunks for section in self._sections())

    def _sections(self) -> Sections:
        """What the sender releases: its tag table."""
        rows = self._at.elements if self._role is Role.SENDER else self._at.peer_elements
        return (Section.of("table", rows, self._context.row_bytes, self._limits),)

    def _add_exchanged(self, blinded: bytes, evaluated: bytes) -> None:
        self._exchange.add("chunk", blinded, evaluated)
        self._at.exchanged += 1

    def _retrace(self) -> None:
        exchanged, self._at.exchanged = self._at.exchanged, 0
        if exchanged:
            self._open_exchange()
            blinded, evaluated = self._array("blinded_digests"), self._array("evaluated_digests")
            for index in range(exchanged):
                self._add_exchanged(blinded[index].tobytes(), evaluated[index].tobytes())

    def _wipe(self) -> None:
        super()._wipe()
        self._computing.wipe()
