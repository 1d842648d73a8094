"""Five parties under one agreement with every disclosure: bad lines, crashing nodes, a withdrawal, and one dishonest party.

What must hold whatever happens: nobody learns anything before every party has signed the same bytes, nor from a party that
knows of a withdrawal; nothing is sent before its checkpoint, and never otherwise than before; no comparison among honest parties ever
fails, and each tells exactly what it is in the clear. What a dishonest party bends is refused, in its own comparisons.
"""

from dataclasses import replace
from enum import Enum

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.agencies import SCHEMA, Agency, agreement_between, edge_between, threshold_between
from tests.support.corrupt_messages import WAYS, corrupt_message
from tests.support.parties import AgreementParties, verify_signatures

from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Disclosure, Envelope
from blindmatch.protocol.errors import PeerError

START = 1_800_000_000
FORCES = [Agency("west-force", "police"), Agency("east-force", "police")]
COUNCILS = [Agency("north-council"), Agency("south-council"), Agency("city-council")]
EVERYONE = FORCES + COUNCILS
NAMES = [agency.id for agency in EVERYONE]
WEST, EAST, NORTH, SOUTH, CITY = NAMES
HITS, FACTS, COUNT, SUM = Disclosure.HITS, Disclosure.HITS_FACTS, Disclosure.COUNT, Disclosure.SUM


def edge(receiver, sender, disclosure, *, verified=False):
    """An edge over at most eight records; a number has a minimum of three, a count is told in pairs."""
    facts = ("name",) if disclosure is FACTS else ()
    value = "spend" if disclosure is SUM else ""
    made = edge_between(
        receiver, sender, disclosure=disclosure, facts=facts, value=value, records=8, tokens=32
    )
    if made.terms.discloses_number:
        changes = {"minimum_count": 3, "band": 2 if disclosure is COUNT else 1}
    else:
        changes = {"verified": verified}
    return terms.describe(replace(made, terms=replace(made.terms, **changes)), SCHEMA)


# One node both receives and sends; three are members of the threshold, and a fourth collects.
EDGES = [
    edge(WEST, NORTH, HITS),
    edge(WEST, SOUTH, FACTS, verified=True),
    edge(WEST, CITY, COUNT),
    edge(EAST, NORTH, FACTS),
    edge(EAST, SOUTH, SUM),
    edge(EAST, CITY, HITS, verified=True),
    edge(NORTH, SOUTH, COUNT),
]
SHARED = replace(threshold_between([WEST, EAST, NORTH], 2, CITY), minimum_count=3)
AGREEMENT = agreement_between(
    [agency.party() for agency in EVERYONE],
    EDGES,
    start=START,
    thresholds=[terms.describe(SHARED, SCHEMA, CITY)],
    collector=CITY,
)
PAYLOAD = encode_agreement(AGREEMENT)
COMPARISONS = len(EDGES) + 1
LINES = len(EDGES) + len(SHARED.members)

places = st.integers(0, LINES - 1)
numbers = st.integers(0, 1_000)
ways = st.integers(0, WAYS - 1)
bits = st.integers(0, 1 << 20)
parties = st.sampled_from(NAMES)
lists = st.lists(st.integers(0, 9), min_size=1, max_size=6)


class Fault(Enum):
    """What goes wrong on a line."""

    LOST = 0
    REPEATED = 1
    LATE = 2
    CRASH_OF_A_SIDE = 3
    CRASH_OF_A_NODE = 4
    LEFT = 5
    BENT = 6


faults = st.lists(
    st.tuples(places, st.integers(0, 3), st.sampled_from(Fault), numbers, bits), min_size=6, max_size=24
)


class FiveParties(RuleBasedStateMachine):
    """Every rule is one step of one node, or one thing that goes wrong."""

    @initialize(
        files=st.tuples(lists, lists, lists, lists, lists),
        chunk_elements=st.integers(1, 4),
        dishonest=st.sampled_from(
            [*NAMES, SOUTH, SOUTH, SOUTH]
        ),  # who has no part in the threshold more often
        unsigned=st.sampled_from([False] * 7 + [True]),
        withdraws=st.sampled_from(["never"] * 5 + ["late"] * 2 + ["early"]),
        ahead=st.lists(st.integers(0, 30), min_size=COMPARISONS, max_size=COMPARISONS),
        last_words=st.lists(st.tuples(st.integers(0, 12), numbers, ways, bits), min_size=2, max_size=6),
    )
    def begin(self, files, chunk_elements, dishonest, unsigned, withdraws, ahead, last_words):
        self.gathering = AgreementParties(
            EVERYONE,
            AGREEMENT,
            Envelope(terms.PAYLOAD_TYPE, PAYLOAD),
            dict(zip(NAMES, files, strict=True)),
            now=START + 60,
            chunk_elements=chunk_elements,
        )
        self.dishonest, self.withdraws = dishonest, withdraws
        self.withdrawal = None
        self.last_words = last_words
        self.looked_at = [0] * LINES
        self.points = {}
        self.wire = {}
        if not unsigned:
            self.everybody_signs()
        # What follows finds every comparison somewhere else on its way.
        for comparison, steps in zip(self.gathering.comparisons, ahead, strict=True):
            self.quiet_steps(comparison, steps)

    @rule()
    def everybody_signs(self):
        for name in NAMES:
            self.gathering.parties[name].sign()
        for name in NAMES:
            for other in NAMES:
                self.gathering.parties[name].take(self.gathering.parties[other].envelope)

    def honest(self, comparison):
        return self.dishonest not in comparison.parties

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

    def may_withdraw(self):
        disclosed = any(comparison.told for comparison in self.gathering.comparisons)
        return self.withdrawal is None and self.withdraws in ("early", "late" if disclosed else "")

    @rule(name=parties)
    def news_spreads(self, name):
        self.somebody_leaves_or_hears_of_it(name)

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

    # The comparisons

    @rule(name=parties, steps=st.integers(1, 16))
    def a_quiet_day(self, name, steps):
        """Of everybody who compares with one party."""
        for comparison in self.gathering.comparisons:
            if name in comparison.parties:
                self.quiet_steps(comparison, steps)

    @rule(among=st.integers(0, COMPARISONS - 1), faults=faults)
    def a_bad_day(self, among, faults):
        """Some quiet steps of one comparison, then something that goes wrong on a line of its; and again."""
        comparison = self.gathering.comparisons[among]
        places = [place for place, (each, _line) in enumerate(self.gathering.lines) if each is comparison]
        for at, steps, fault, which, bit in faults:
            self.quiet_steps(comparison, steps)
            self.bad_step(places[at % len(places)], fault, which, bit)

    def bad_step(self, place, fault, which, bit):
        self.step(place, lambda: self.go_wrong(place, fault, which, bit))

    @rule(steps=st.integers(0, 12), at=numbers, way=ways, bit=bits)
    def a_day_that_ends_with_a_bent_message(self, steps, at, way, bit):
        self.say_something_bent(steps, at, way, bit)

    def say_something_bent(self, steps, at, way, bit):
        """In one of the dishonest party's own comparisons, some quiet steps from now."""
        lines = list(enumerate(self.gathering.lines))
        theirs = [place for place, (each, _) in lines if not (self.honest(each) or each.broken)]
        if theirs:
            place = theirs[at % len(theirs)]
            self.quiet_steps(self.gathering.lines[place][0], steps)
            self.bad_step(place, Fault.BENT, way, bit)

    @rule(place=places, action=st.integers(0, 3), which=numbers)
    def one_node_does_one_thing(self, place, action, which):
        _, line = self.gathering.lines[place]
        if action == 0:
            self.gathering.caller_works(place)
        elif action == 1:
            self.gathering.called_works(place)
        elif action == 2:
            self.gathering.request_arrives(place, which % max(1, len(line.requests)))
        else:
            self.gathering.reply_arrives(place, which % max(1, len(line.replies)))

    def quiet_steps(self, comparison, steps):
        """On every line of it: a threshold needs all of its members."""
        together = [place for place, (each, _line) in enumerate(self.gathering.lines) if each is comparison]
        for _ in range(steps):
            for place in together:
                self.step(place)

    def step(self, place, between=lambda: None):
        """One thing asked and answered; `between` happens to what is on the line."""
        _, line = self.gathering.lines[place]
        self.gathering.caller_works(place)
        between()
        for _ in range(len(line.requests)):
            self.gathering.request_arrives(place, 0)
        between()
        for _ in range(len(line.replies)):
            self.gathering.reply_arrives(place, 0)

    def go_wrong(self, place, fault, which, bit):
        """What may happen to a line, twice: to what was asked, and to what is answered."""
        comparison, line = self.gathering.lines[place]
        if comparison.broken:
            return
        match fault:
            case Fault.LOST | Fault.REPEATED:
                queue = (line.requests, line.replies)[which % 2]
                queue[:] = queue[1:] if fault is Fault.LOST else [*queue, *queue[:1]]
            case Fault.LATE:
                self.an_old_message_comes_again(line, which)
            case Fault.CRASH_OF_A_SIDE:
                (line.caller, line.called)[which % 2].crash_in = which // 2 % 4
            case Fault.CRASH_OF_A_NODE:
                self.gathering.crash(line.names[which % 2])
            case Fault.LEFT:
                self.somebody_leaves_or_hears_of_it(line.names[which % 2])
            case Fault.BENT if not self.honest(comparison):
                self.corrupt(line, which % WAYS, bit)

    def an_old_message_comes_again(self, line, which):
        """Long after its answer came: a node that gave a connection up cannot call back what it sent."""
        if line.sent:
            old = line.sent[which % len(line.sent)]
            queue = line.requests if old.sender == line.names[0] else line.replies
            queue.insert(which % 2, old)

    def somebody_leaves_or_hears_of_it(self, name):
        self.what_is_sent_may_be_sent()  # until now
        if self.withdrawal is not None:
            self.gathering.parties[name].hear(self.withdrawal)
        elif self.may_withdraw():
            self.withdrawal = self.gathering.parties[name].withdraw(START + 60)

    def corrupt(self, line, way, bit):
        signer = self.gathering.parties[self.dishonest].agency.signer
        elsewhere = [each.name for each in self.gathering.comparisons]
        for queue in (line.requests, line.replies):
            for index, message in enumerate(queue):
                if message.sender == self.dishonest:
                    queue[index] = corrupt_message(message, way, bit, signer, elsewhere)

    @rule(name=parties)
    def node_crashes(self, name):
        self.gathering.crash(name)

    # What always holds

    def news(self, place):
        """What was sent on a line since we last looked."""
        return self.gathering.lines[place][1].sent[self.looked_at[place] :]

    @invariant()
    def what_is_sent_may_be_sent(self):
        """Every message once, when it is new: after its checkpoint, the same bytes as ever, and under the agreement."""
        for place, (comparison, line) in enumerate(self.gathering.lines):
            for message in self.news(place):
                assert message.checkpointed
                self.sent_as_before(comparison, line, message)
                if message.kind not in line.closing:
                    party = self.gathering.parties[message.sender]
                    assert not terms.missing_signatures(AGREEMENT, party.envelope)
                    verify_signatures(AGREEMENT, party.envelope)
                    assert not party.withdrawn
            self.looked_at[place] = len(line.sent)

    def sent_as_before(self, comparison, line, message):
        """What a collector carries for the dishonest party is that party's word, not its own; how far one is changes."""
        key = (comparison.name, line.names, message.sender, message.kind, message.index, message.about)
        if self.dishonest in (message.sender, message.about) or message.kind == "received":
            return
        assert self.wire.setdefault(key, message.content()) == message.content(), key

    @invariant()
    def honest_comparisons_do_not_fail(self):
        for comparison in self.gathering.comparisons:
            if self.honest(comparison):
                assert not comparison.broken
                for side, _ in comparison.secrets:
                    assert side.session.state.value != "failed"

    @invariant()
    def what_honest_parties_tell_is_true(self):
        for comparison in self.gathering.comparisons:
            if self.honest(comparison):
                assert comparison.told.items() <= comparison.truth.items()

    @invariant()
    def nothing_secret_shows(self):
        for comparison in self.gathering.comparisons:
            for side, seed in comparison.secrets:
                if self.points.get(id(side)) == (side.points, id(side.session)):
                    continue  # nothing was done there
                self.points[id(side)] = (side.points, id(side.session))
                assert seed not in side.session.snapshot()
                shown = repr(side.session) + repr(vars(side.session))
                assert repr(seed) not in shown
                assert seed.hex() not in shown

    def teardown(self):
        if not hasattr(self, "gathering"):
            return
        if not any(party.withdrawn for party in self.gathering.parties.values()):
            self.everybody_signs()
            for comparison in self.gathering.comparisons:
                if self.honest(comparison):
                    comparison.finish()
                    assert comparison.told == comparison.truth
                    assert len(comparison.receipts) == 1
            for words in self.last_words:
                self.say_something_bent(*words)
            self.honest_comparisons_do_not_fail()
            self.nothing_secret_shows()
        self.what_is_sent_may_be_sent()


TestFiveParties = FiveParties.TestCase
TestFiveParties.settings = settings(max_examples=35, stateful_step_count=30)
