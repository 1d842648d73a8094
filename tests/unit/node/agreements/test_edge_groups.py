"""Edges that are alike: each stands in exactly one group, and a group says no more than its edges do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.agencies import edge_between

from blindmatch.node.agreements.edge_groups import group_edges, without_parties
from blindmatch.protocol.agreement import Disclosure

NAMES = ("a-force", "b-force", "c-council", "d-council", "receiver", "sender")


def edge(receiver, sender, records=100, **more):
    return edge_between(receiver, sender, records=records, **more)


pairs = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from((100, 200))).filter(
        lambda drawn: drawn[0] != drawn[1]
    ),
    min_size=1,
    unique=True,
)


@given(pairs)
def test_every_edge_stands_in_one_group_and_every_group_names_its_pairs(drawn):
    edges = [edge(*each) for each in drawn]
    groups = group_edges(edges)
    assert sorted(map(repr, (e for group in groups for e in group.edges))) == sorted(map(repr, edges))
    assert len({group.terms for group in groups}) == len(groups)
    for group in groups:
        assert {e.receiver.max_records for e in group.edges} == {group.terms.receiver.max_records}
        told = {(r, s) for r in group.receivers for s in group.senders_of(r)}
        assert told == {(e.receiver.agency, e.sender.agency) for e in group.edges}
        every = {(r, s) for r in group.receivers for s in group.senders if r != s}
        assert group.whole == (told == every)


def test_any_term_that_differs_makes_another_group():
    usual = edge("a-force", "c-council")
    other = edge("b-force", "d-council")
    assert len(group_edges([usual, other])) == 1
    for change in (
        {"terms": replace(other.terms, verified=True)},
        {"linkage": replace(other.linkage, budget=40)},
        {"sender": replace(other.sender, tokens_per_record=9)},
        {"receiver": replace(other.receiver, collection_kind="bidders")},
        {"leakage": "West learns a little."},  # words of its own are never hidden behind the usual ones
    ):
        assert len(group_edges([usual, replace(other, **change)])) == 2


@pytest.mark.parametrize("words", ["{} learns what {} holds.", "Formerly: {}'s records, but not ({})."])
def test_words_that_differ_in_the_names_only_make_one_group(words):
    edges = [
        replace(edge(*names), leakage=words.format(*names))
        for names in (("a-force", "c-council"), ("b-force", "d-council"), ("x", "x-council"))
    ]
    assert len(group_edges(edges)) == 1
    assert len(group_edges([*edges, replace(edges[0], leakage=words.format("a-force-2", "c-council"))])) == 2
    other = replace(
        edges[1], leakage=words.format("a-force", "c-council")
    )  # names other agencies than its own
    assert len(group_edges([edges[0], other])) == 2


def test_the_words_are_those_of_the_edge_without_its_names():
    one = edge("a-force", "c-council", disclosure=Disclosure.HITS_FACTS, facts=["contract_value"])
    (group,) = group_edges([one])
    for name, words in (
        ("receiver_learns", one.receiver_learns()),
        ("sender_learns", one.sender_learns()),
    ):
        said = group.words()[name]
        named = said.replace("The receiver", "a-force").replace("the receiver", "a-force")
        named = named.replace("The sender", "c-council").replace("the sender", "c-council")
        assert named == words
    assert without_parties(one) == without_parties(replace(one, id="another"))
