"""Five parties under one agreement: bad lines, crashing nodes, a withdrawal, and one party that puts anything on the wire.

What must hold whatever happens: nobody learns anything before every party has signed the same bytes, nor from a party that
knows of a withdrawal; nothing is sent before its checkpoint; no edge between honest parties ever fails, and each closes with
exactly the common records once the lines are quiet.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blindmatch.node.convert.agreement import encode_agreement
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Envelope, check_signatures
from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.match import BlindedChunk, EvaluatedChunk, State, TagChunk
from blindmatch.protocol.transcript import Signed
from blindmatch.simulations.agencies import Agency, agreement_between, edge_between
from blindmatch.simulations.gathering import Gathering, sent_by

START = 1_800_000_000
FORCES = [Agency("west-force", "police"), Agency("east-force", "police")]
COUNCILS = [Agency("north-council"), Agency("south-council"), Agency("city-council")]
EVERYONE = FORCES + COUNCILS
NAMES = [agency.id for agency in EVERYONE]
# Both forces from every council, and one council from another: one node both receives and sends.
PAIRS = [(force.id, council.id) for force in FORCES for council in COUNCILS]
PAIRS.append(("north-council", "south-council"))
AGREEMENT = agreement_between(
    [agency.party() for agency in EVERYONE],
    [edge_between(receiver, sender) for receiver, sender in PAIRS],
    start=START,
)
PAYLOAD = encode_agreement(AGREEMENT)

places = st.integers(0, 1_000)
parties = st.sampled_from(NAMES)
lists = st.lists(st.integers(0, 9), min_size=1, max_size=5)


class FiveParties(RuleBasedStateMachine):
    """Every rule is one step of one node, or one thing that goes wrong."""

    @initialize(
        files=st.tuples(lists, lists, lists, lists, lists),
        chunk_elements=st.integers(1, 4),
        dishonest=parties,
        unsigned=st.sampled_from([False] * 5 + [True]),
        withdraws=st.sampled_from([False] * 3 + [True]),
    )
    def begin(self, files, chunk_elements, dishonest, unsigned, withdraws):
        self.gathering = Gathering(
            EVERYONE,
            AGREEMENT,
            Envelope(terms.PAYLOAD_TYPE, PAYLOAD),
            dict(zip(NAMES, files, strict=True)),
            now=START + 60,
            chunk_elements=chunk_elements,
        )
        self.dishonest, self.withdraws = dishonest, withdraws
        self.withdrawal = None
        self.looked_at = [0] * len(self.gathering.lines)
        self.wire = {}
        self.told = [None] * len(self.gathering.lines)
        if not unsigned:
            self.everybody_signs()

    def everybody_signs(self):
        for name in NAMES:
            self.gathering.parties[name].sign()
        for name in NAMES:
            for other in NAMES:
                self.gathering.parties[name].take(self.gathering.parties[other].envelope)

    def line(self, place):
        return self.gathering.lines[place % len(self.gathering.lines)]

    def honest(self, line):
        return self.dishonest not in line.between

    # The agreement

    @rule(name=parties)
    def party_signs(self, name):
        self.gathering.parties[name].sign()

    @rule(source=parties, to=parties, spoilt=st.booleans())
    def signatures_travel(self, source, to, spoilt):
        envelope = self.gathering.parties[source].envelope
        party = self.gathering.parties[to]
        if spoilt and source == self.dishonest:
            forged = {name: b"\x07" * 64 for name in NAMES if name not in envelope.signatures}
            envelope = envelope.with_signatures(forged)
            if forged:
                before = party.envelope
                try:
                    party.take(envelope)
                except PeerError:
                    assert party.envelope == before
                    return
                raise AssertionError("a forged signature was taken in")
        party.take(envelope)

    @precondition(lambda self: self.withdraws and self.withdrawal is None)
    @rule(name=parties)
    def party_withdraws(self, name):
        self.withdrawal = self.gathering.parties[name].withdraw(START + 60)

    @precondition(lambda self: self.withdrawal is not None)
    @rule(name=parties)
    def news_of_the_withdrawal_arrives(self, name):
        self.gathering.parties[name].hear(self.withdrawal)

    @rule(name=parties, to=parties)
    def nobody_withdraws_for_another(self, name, to):
        if name == self.dishonest:
            return
        word = terms.Withdrawal(self.gathering.parties[name].envelope.id, name, START, "")
        forged = terms.sign_withdrawal(word, self.gathering.parties[self.dishonest].agency.signer)
        try:
            self.gathering.parties[to].hear(forged)
        except PeerError:
            return
        raise AssertionError("a withdrawal in another's name was taken in")

    # The edges

    @rule(place=places)
    def receiver_works(self, place):
        self.gathering.receiver_works(self.line(place))

    @rule(place=places, steps=st.integers(1, 12))
    def a_quiet_hour(self, place, steps):
        for _ in range(steps):
            self.step(self.line(place))

    @rule(place=places, steps=st.integers(0, 12), bit=places, kind=st.integers(0, 3))
    def an_hour_that_ends_with_a_bent_message(self, place, steps, bit, kind):
        line = self.line(place)
        if self.honest(line):
            return
        for _ in range(steps):
            self.step(line)
        self.step(line, lambda: self.bend(line, bit, kind))

    def step(self, line, between=lambda: None):
        """One thing asked and answered; `between` happens to what is on the line."""
        self.gathering.receiver_works(line)
        between()
        while line.network.requests:
            self.gathering.request_arrives(line, 0)
        between()
        while line.network.replies:
            self.gathering.reply_arrives(line, 0)

    def bend(self, line, bit, kind, which=0):
        for queue in (line.network.requests, line.network.replies):
            mine = [index for index, message in enumerate(queue) if sent_by(line, message) == self.dishonest]
            if mine:
                index = mine[which % len(mine)]
                queue[index] = replace(queue[index], body=bend(queue[index].body, bit, kind, self.gathering))

    @rule(place=places)
    def sender_works(self, place):
        self.gathering.sender_works(self.line(place))

    @rule(place=places, which=places)
    def request_arrives(self, place, which):
        line = self.line(place)
        if line.network.requests:
            self.gathering.request_arrives(line, which % len(line.network.requests))

    @rule(place=places, which=places)
    def reply_arrives(self, place, which):
        line = self.line(place)
        if line.network.replies:
            self.gathering.reply_arrives(line, which % len(line.network.replies))

    @rule(place=places, which=places, repeated=st.booleans(), asked=st.booleans())
    def message_is_lost_or_repeated(self, place, which, repeated, asked):
        network = self.line(place).network
        queue = network.requests if asked else network.replies
        if queue and repeated:
            queue.append(queue[which % len(queue)])
        elif queue:
            queue.pop(which % len(queue))

    @rule(name=parties)
    def node_crashes(self, name):
        self.gathering.crash(name)

    @rule(place=places, after=st.integers(0, 3), receiver=st.booleans())
    def side_will_crash(self, place, after, receiver):
        network = self.line(place).network
        (network.receiver if receiver else network.sender).crash_in = after

    @rule(place=places, which=places, bit=places, kind=st.integers(0, 3))
    def dishonest_party_bends_a_message(self, place, which, bit, kind):
        self.bend(self.line(place), bit, kind, which)

    # What always holds

    @invariant()
    def nothing_is_sent_before_its_checkpoint(self):
        for place, line in enumerate(self.gathering.lines):
            sent = line.network.sent
            for message in sent[self.looked_at[place] :]:
                assert message.checkpointed
                key = (place, message.kind, message.index)
                assert self.wire.setdefault(key, message.content()) == message.content()
            self.looked_at[place] = len(sent)

    @invariant()
    def nothing_is_disclosed_before_everybody_signed(self):
        for line in self.gathering.lines:
            if any(message.kind in {"evaluated", "tag chunk"} for message in line.network.sent):
                envelope = self.gathering.parties[line.between[1]].envelope
                assert not terms.missing_signatures(AGREEMENT, envelope)
                check_signatures(AGREEMENT, envelope)

    @invariant()
    def who_knows_of_a_withdrawal_discloses_no_more(self):
        for place, line in enumerate(self.gathering.lines):
            disclosed = sum(message.kind in {"evaluated", "tag chunk"} for message in line.network.sent)
            if self.gathering.parties[line.between[1]].withdrawn:
                if self.told[place] is None:
                    self.told[place] = disclosed
                assert disclosed == self.told[place]

    @invariant()
    def honest_edges_do_not_fail(self):
        for line in self.gathering.lines:
            if self.honest(line):
                assert not line.broken
                for side in (line.network.receiver, line.network.sender):
                    assert side.session.state is not State.FAILED

    @invariant()
    def no_result_but_the_common_records(self):
        for line in self.gathering.lines:
            if line.network.hits is not None and self.honest(line):
                assert line.network.hits.elements.tolist() == line.expected

    @invariant()
    def nothing_secret_shows(self):
        for line in self.gathering.lines:
            for side, seed in (
                (line.network.receiver, line.edge.receiver_seed),
                (line.network.sender, line.edge.sender_seed),
            ):
                assert seed not in side.session.snapshot() or side.session.state is State.FAILED
                assert repr(seed) not in repr(side.session) + repr(vars(side.session))

    def teardown(self):
        if not hasattr(self, "gathering"):
            return
        if not any(party.withdrawn for party in self.gathering.parties.values()):
            self.everybody_signs()
            for line in self.gathering.lines:
                if self.honest(line):
                    assert line.network.run().elements.tolist() == line.expected
                    assert len(set(line.network.receipts)) == 1
        self.nothing_is_sent_before_its_checkpoint()


def bend(body, bit, kind, gathering):
    """Another message in place of an honest one; of a valid form, since anything else is refused while it is parsed."""
    match body:
        case Signed():
            payload = bytearray(body.payload)
            payload[bit % len(payload)] ^= 1 << bit % 8
            return Signed(bytes(payload), body.signature) if kind else Signed(body.payload, b"\x05" * 64)
        case BlindedChunk() | EvaluatedChunk() | TagChunk() if kind == 0:
            # Its own message, moved to another place of the sequence.
            return replace(body, header=replace(body.header, sequence=bit % 5))
        case BlindedChunk() | EvaluatedChunk() if kind == 1:
            return replace(body, header=replace(body.header, edge=gathering.lines[bit % 7].context.edge))
        case BlindedChunk() | EvaluatedChunk():
            points = body.points.copy()
            points.reshape(-1)[bit % points.size] ^= 1 << bit % 8
            return replace(body, points=points)
        case TagChunk():
            rows = body.rows.copy()
            rows.reshape(-1)[bit % rows.size] ^= 1 << bit % 8
            return replace(body, rows=rows)
        case int():
            return bit
        case _:
            return bytes(64)


TestFiveParties = FiveParties.TestCase
TestFiveParties.settings = settings(max_examples=40, stateful_step_count=80)
