"""A line that loses, repeats, delays and reorders, and nodes that crash at any point: always the same result."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.hits_sessions import Edge

from blindmatch.protocol.hits.transitions import HitsState

places = st.integers(0, 1_000)


class MatchMachine(RuleBasedStateMachine):
    """Every rule is one step of one node, or one thing that goes wrong on the line."""

    @initialize(
        ours=st.lists(st.integers(0, 12), min_size=1, max_size=9),
        theirs=st.lists(st.integers(0, 12), min_size=1, max_size=9, unique=True),
        facts=st.booleans(),
        verified=st.booleans(),
        chunk_elements=st.integers(1, 5),
    )
    def begin(self, ours, theirs, facts, verified, chunk_elements):
        self.ours, self.theirs, self.facts = ours, set(theirs), facts
        self.edge = Edge.of(
            ours,
            theirs,
            facts=[value + 500 for value in theirs] if facts else None,
            verified=verified,
            chunk_elements=chunk_elements,
        )
        self.network = self.edge.connect()
        self.wire = {}
        self.looked_at = 0
        self.sizes = set()

    @rule()
    def receiver_works(self):
        self.network.caller_step()

    @rule()
    def sender_works(self):
        self.network.called_step()

    @precondition(lambda self: self.network.requests)
    @rule(place=places)
    def request_arrives(self, place):
        self.network.deliver_request(place % len(self.network.requests))

    @precondition(lambda self: self.network.replies)
    @rule(place=places)
    def reply_arrives(self, place):
        self.network.deliver_reply(place % len(self.network.replies))

    @precondition(lambda self: self.network.requests)
    @rule(place=places)
    def request_is_lost(self, place):
        self.network.requests.pop(place % len(self.network.requests))

    @precondition(lambda self: self.network.replies)
    @rule(place=places)
    def reply_is_lost(self, place):
        self.network.replies.pop(place % len(self.network.replies))

    @precondition(lambda self: self.network.requests)
    @rule(place=places)
    def request_is_repeated(self, place):
        self.network.requests.append(self.network.requests[place % len(self.network.requests)])

    @precondition(lambda self: self.network.replies)
    @rule(place=places)
    def reply_is_repeated(self, place):
        self.network.replies.append(self.network.replies[place % len(self.network.replies)])

    @rule(after=st.integers(0, 3))
    def receiver_will_crash(self, after):
        self.network.receiver.crash_in = after

    @rule(after=st.integers(0, 3))
    def sender_will_crash(self, after):
        self.network.sender.crash_in = after

    @rule()
    def receiver_crashes_at_rest(self):
        self.network.receiver.restart()

    @rule()
    def sender_crashes_at_rest(self):
        self.network.sender.restart()

    @invariant()
    def nothing_is_sent_before_its_checkpoint(self):
        for message in self.network.sent[self.looked_at :]:
            assert message.checkpointed
            # Whatever was sent once is only ever sent again byte for byte.
            assert self.wire.setdefault((message.kind, message.index), message.content()) == message.content()
        self.looked_at = len(self.network.sent)

    @invariant()
    def tags_wait_for_every_blinded_chunk(self):
        kinds = [message.kind for message in self.network.sent]
        if "tag chunk" in kinds:
            answered = {
                m.index for m in self.network.sent[: kinds.index("tag chunk")] if m.kind == "evaluated"
            }
            assert answered == set(range(self.network.sender.session.blinded_chunks))

    @invariant()
    def nobody_fails(self):
        assert self.network.receiver.session.state is not HitsState.FAILED
        assert self.network.sender.session.state is not HitsState.FAILED

    @invariant()
    def nothing_secret_shows(self):
        sender = self.network.sender.session
        secrets = [self.edge.receiver_seed, self.edge.sender_seed]
        if sender._computing._pair is not None:
            secrets.append(sender._computing._pair.secret.tobytes())
        for side in (self.network.receiver, self.network.sender):
            snapshot = side.session.snapshot()
            self.sizes.add(len(snapshot))
            words = repr(side.session) + repr(vars(side.session))
            for secret in secrets:
                if any(secret):
                    assert secret not in snapshot
                    assert secret.hex() not in words
                    assert repr(secret) not in words
        assert len(self.sizes) == 1

    def teardown(self):
        if not hasattr(self, "network"):
            return
        hits = self.network.run()
        self.nothing_is_sent_before_its_checkpoint()
        expected = [index for index, value in enumerate(self.ours) if value in self.theirs]
        assert hits.elements.tolist() == expected
        if self.facts:
            said = [int.from_bytes(row.tobytes(), "big") for row in hits.facts]
            assert said == [self.ours[index] + 500 for index in expected]
        assert len(set(self.network.receipts)) == 1
        assert self.network.sender.session.state is HitsState.CLOSED


TestMatchMachine = MatchMachine.TestCase
TestMatchMachine.settings = settings(max_examples=60, stateful_step_count=60)
