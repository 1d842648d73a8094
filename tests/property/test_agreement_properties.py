"""Agreements of any shape survive; garbage raises only what it should; no bit may change."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.support.agencies import Agency, agreement_between, edge_between, signed

from blindmatch.node.agreements import envelope_files
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Disclosure,
    Edge,
    Envelope,
    Side,
    SignedWithdrawal,
    Standing,
    Threshold,
    Withdrawal,
)
from blindmatch.protocol.errors import AgreementError, InputError, PeerError
from blindmatch.protocol.limits import LIMITS

AGENCIES = [Agency("west-force", "police"), Agency("east-council"), Agency("south-council")]
USUAL = agreement_between(
    [agency.party() for agency in AGENCIES],
    [edge_between("west-force", "east-council"), edge_between("west-force", "south-council")],
    start=1_800_000_000,
)
ENVELOPE = signed(USUAL, AGENCIES)

texts = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"], include_characters="\n"),
    min_size=1,
    max_size=200,
).filter(str.strip)
identifiers = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
facts = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True), min_size=1, max_size=4, unique=True)


@st.composite
def sides(draw, agency):
    tokens = draw(st.integers(1, LIMITS.tokens_per_record))
    most = min(LIMITS.records, LIMITS.elements // tokens)
    return Side(agency, draw(st.sampled_from(terms.KINDS)), draw(st.integers(1, most)), tokens)


@st.composite
def edges(draw, agencies):
    receiver, sender, *others = draw(st.permutations(agencies))
    kinds = [kind for kind in Disclosure if kind is not Disclosure.THRESHOLD]
    disclosure = draw(st.sampled_from(kinds))
    named = draw(facts) if disclosure is Disclosure.HITS_FACTS else []
    number, total = terms.EDGE_TERMS[disclosure].discloses_number, disclosure is Disclosure.SUM
    fields = {
        "verified": not number and draw(st.booleans()),
        "facts": tuple(named),
        "fact_bytes": draw(st.integers(1, LIMITS.fact_bytes)) if named else 0,
        "minimum_count": draw(st.integers(terms.LEAST_MINIMUM, LIMITS.records)) if number else 0,
        "band": draw(st.integers(1, LIMITS.sum_total)) if number else 0,
        "value": draw(facts)[0] if total else "",
        "decimals": draw(st.integers(0, 4)) if total else 0,
        "report_to": tuple(others) if number and draw(st.booleans()) else (),
    }
    return Edge(
        id=draw(identifiers),
        receiver=draw(sides(receiver)),
        sender=draw(sides(sender)),
        terms=terms.edge_terms(disclosure, fields),
        leakage=draw(texts),
    )


@st.composite
def thresholds(draw, agencies):
    members = draw(st.permutations(agencies))[: draw(st.integers(2, len(agencies)))]
    return Threshold(
        id="t-" + draw(identifiers),
        members=tuple(draw(sides(member)) for member in members),
        at_least=draw(st.integers(2, len(members))),
        minimum_count=draw(st.integers(1, LIMITS.records)),
        band=draw(st.integers(1, LIMITS.records)),
        leakage=draw(texts),
    )


@st.composite
def agreements(draw) -> Agreement:
    names = draw(st.lists(identifiers, min_size=2, max_size=5, unique=True))
    parties = [replace(Agency(name).party(), legal_basis=draw(texts), contact=draw(texts)) for name in names]
    drawn = draw(
        st.lists(
            edges(names),
            min_size=1,
            max_size=5,
            unique_by=(
                lambda edge: edge.id,
                lambda edge: tuple((s.agency, s.collection_kind) for s in (edge.receiver, edge.sender)),
            ),
        )
    )
    many = draw(st.lists(thresholds(names), max_size=2, unique_by=lambda threshold: threshold.id))
    ids = {edge.id for edge in drawn}
    many = [threshold for threshold in many if threshold.id not in ids]
    standing = st.none() | st.builds(
        Standing, st.integers(1, LIMITS.epoch_days), st.integers(0, LIMITS.checks_per_day)
    )
    start = draw(st.integers(0, terms.field_types.LAST_SECOND - 1))
    return replace(
        USUAL,
        title=draw(texts),
        purpose=draw(texts),
        parties=tuple(parties),
        edges=tuple(drawn),
        marking=draw(st.sampled_from(terms.MARKINGS)),
        handling_codes=tuple(draw(st.lists(st.sampled_from(terms.HANDLING_CODES), min_size=1, unique=True))),
        not_before=start,
        expires=draw(st.integers(start + 1, terms.field_types.LAST_SECOND)),
        rounds_budget=draw(st.integers(1, LIMITS.rounds)),
        retention_days=draw(st.integers(1, LIMITS.retention_days)),
        collector=draw(st.sampled_from(names if many else ["", *names])),
        thresholds=tuple(many),
        standing=draw(standing) if any(edge.terms.lists_hits for edge in drawn) else None,
        nonce=draw(st.binary(min_size=16, max_size=16).filter(any)),
    )


@given(agreements())
def test_any_agreement_survives(agreement):
    payload = encode_agreement(agreement)
    assert parse_agreement(payload) == agreement
    assert encode_agreement(parse_agreement(payload)) == payload


@given(agreements())
def test_the_words_name_both_sides_and_every_fact(agreement):
    for edge in agreement.edges:
        words = terms.default_leakage(edge, agreement.schema)
        assert edge.receiver.agency in words
        assert edge.sender.agency in words
        assert all(fact in words for fact in edge.terms.facts)
        assert all(agency in words for agency in edge.terms.report_to)
        assert edge.terms.subject in words
        assert terms.describe(edge, agreement.schema).leakage == words
    for threshold in agreement.thresholds:
        words = terms.default_leakage(threshold, agreement.schema, agreement.collector)
        assert all(agency in words for agency in (*threshold.agencies, agreement.collector))
        assert terms.describe(threshold, agreement.schema, agreement.collector).leakage == words


@given(st.binary(max_size=400))
@example(b"\x08\x01")
def test_garbage_is_no_agreement(data):
    with pytest.raises((PeerError, AgreementError)):
        parse_agreement(data)


@given(st.integers(0, len(ENVELOPE.payload) * 8 - 1))
def test_no_bit_of_a_signed_agreement_may_change(bit):
    altered = bytearray(ENVELOPE.payload)
    altered[bit // 8] ^= 1 << (bit % 8)
    envelope = Envelope(terms.PAYLOAD_TYPE, bytes(altered), ENVELOPE.signatures)
    assert envelope.id != ENVELOPE.id
    with pytest.raises((PeerError, AgreementError)):
        terms.check_signatures(parse_agreement(envelope.payload), envelope)


@given(st.integers(0, len(ENVELOPE.payload)), st.binary(min_size=1, max_size=20))
def test_nothing_may_be_put_in(place, more):
    payload = ENVELOPE.payload[:place] + more + ENVELOPE.payload[place:]
    envelope = Envelope(terms.PAYLOAD_TYPE, payload, ENVELOPE.signatures)
    with pytest.raises((PeerError, AgreementError)):
        terms.check_signatures(parse_agreement(payload), envelope)


@given(st.sets(st.sampled_from([agency.id for agency in AGENCIES])), st.integers(0, 20), st.integers(-1, 31))
def test_usable_exactly_when_everything_is_in_order(signers, used, day):
    envelope = signed(USUAL, [agency for agency in AGENCIES if agency.id in signers])
    good = len(signers) == 3 and used < USUAL.rounds_budget and 0 <= day < 30
    now = USUAL.not_before + day * 86_400
    with nullcontext() if good else pytest.raises(PeerError):
        terms.check_signatures(USUAL, envelope)
        terms.check_allowed(USUAL, envelope, now=now, rounds_used=used, withdrawn=())


@given(st.binary(min_size=1, max_size=300), st.dictionaries(identifiers, st.binary(min_size=64, max_size=64)))
def test_an_envelope_survives_as_a_file(tmp_path_factory, payload, signatures):
    path = tmp_path_factory.getbasetemp() / "envelope.json"
    envelope = Envelope(terms.PAYLOAD_TYPE, payload, signatures)
    envelope_files.write(path, envelope)
    assert envelope_files.read(path) == envelope


@given(
    st.one_of(
        st.binary(max_size=300), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(repr)
    )
)
def test_garbage_is_no_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError):
        envelope_files.read(path)


@given(st.integers(0, terms.field_types.LAST_SECOND), st.one_of(st.just(""), texts))
def test_a_withdrawal_survives(at, reason):
    word = Withdrawal(ENVELOPE.id, "east-council", at, reason)
    assert terms.read_withdrawal(terms.sign_withdrawal(word, AGENCIES[1].signer), USUAL) == word


@given(st.binary(max_size=200))
def test_a_garbled_withdrawal_is_refused(payload):
    good = terms.sign_withdrawal(Withdrawal(ENVELOPE.id, "east-council", 5, ""), AGENCIES[1].signer)
    assume(payload != good.payload)
    with pytest.raises(PeerError):
        terms.read_withdrawal(SignedWithdrawal(good.agreement, good.agency, payload, good.signature), USUAL)
