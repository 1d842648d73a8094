"""Whatever a node holds beyond its declaration is caught: each kind of violation is injected, and seen."""

from dataclasses import replace

import pytest
from tests.support.agencies import Agency, agreement_between, edge_between, threshold_between

from blindmatch.node.rounds.leads import ResultLead
from blindmatch.protocol.agreement import Count, Disclosure
from blindmatch.simulations.audit.allowed import DisclosureLevel, declarations
from blindmatch.simulations.audit.disclosed import NodeContents
from blindmatch.simulations.audit.leak_scan import Secrets, search_files
from blindmatch.simulations.audit.verdict import AuditCase, judge_nodes
from blindmatch.simulations.drivers.results import WITHHELD, CleartextResult, DisclosedNumber

POLICE, COUNCIL, BOARD = "west-force", "north-council", "board"
ROUND, AGREEMENT = "ab" * 16, "cd" * 32
EDGE = f"{POLICE}-from-{COUNCIL}"
KEY = (ROUND, EDGE)


def declared(*edges, thresholds=(), collector=""):
    parties = [Agency(name).party() for name in (POLICE, COUNCIL, BOARD)]
    made = agreement_between(parties, edges, start=1, thresholds=thresholds, collector=collector)
    return declarations(made, AGREEMENT)


def lead(reference, **facts):
    return ResultLead(reference, COUNCIL, EDGE, ("name",), ("name",), 20.0, facts=(facts,) if facts else ())


CASE = AuditCase(
    KEY,
    AGREEMENT,
    CleartextResult({POLICE: frozenset({"P1"}), COUNCIL: frozenset({"V1"})}),
    "1 in truth",
    {POLICE: frozenset({"P1", "P2"}), COUNCIL: frozenset({"V1", "V2"})},
)
HITS = declared(edge_between(POLICE, COUNCIL))
FACTS = declared(
    edge_between(POLICE, COUNCIL, disclosure=Disclosure.HITS_FACTS, facts=["contract_reference"])
)
COUNT = declared(
    replace(edge_between(POLICE, COUNCIL, disclosure=Disclosure.COUNT), terms=Count(report_to=(BOARD,)))
)

HONEST = NodeContents(POLICE, {KEY: "receiver"}, {KEY: (lead("P1"),)}, logged=frozenset({KEY}))
SENDER = NodeContents(COUNCIL, {KEY: "sender"})


def test_what_is_declared_is_no_violation():
    verdict = judge_nodes([HONEST, SENDER, NodeContents(BOARD)], HITS, [CASE])
    assert verdict.violations == ()
    assert verdict.nodes == 3
    assert [(f.agency, f.role, f.learned, f.truth) for f in verdict.findings] == [
        (POLICE, "receiver", "1 of its own record", "1 in truth"),
        (COUNCIL, "sender", "nothing about matches", "1 in truth"),
    ]


@pytest.mark.parametrize(
    ("holdings", "words"),
    [
        (replace(SENDER, leads={KEY: (lead("V1"),)}), "holds 1 leads"),
        (replace(SENDER, logged=frozenset({KEY})), "audit log"),
        (replace(SENDER, numbers={KEY: DisclosedNumber(True, 1, 1)}), "holds a result"),
        (replace(SENDER, unexplained=("3 rows of table hints",)), "not erased: 3 rows of table hints"),
        (replace(SENDER, plaintext_files=("serve.log: 1 values in plaintext",)), "in plaintext: serve.log"),
        (replace(SENDER, leads={("ee" * 16, EDGE): (lead("V1"),)}), "none of this area's"),
        (NodeContents(BOARD, leads={KEY: (lead("P1"),)}), "holds 1 leads"),
        (NodeContents(BOARD, logged=frozenset({KEY})), "audit log"),
        (replace(HONEST, leads={KEY: (lead("P1"), lead("V1"))}), "1 records that are not its own"),
        (
            replace(HONEST, leads={KEY: (lead("P1"), lead("P2"))}),
            "1 leads that the files in plaintext do not",
        ),
        (replace(HONEST, leads={}), "1 leads are missing"),
        (replace(HONEST, leads={KEY: (lead("P1", contract_value="9"),)}), "not agreed: contract_value"),
    ],
)
def test_each_violation_is_caught(holdings, words):
    verdict = judge_nodes([holdings], HITS, [CASE])
    (violation,) = verdict.violations
    assert violation.agency == holdings.agency
    assert words in violation.what


COUNTED = replace(CASE, matching=7)


@pytest.mark.parametrize("agency", [POLICE, BOARD])
@pytest.mark.parametrize(
    ("told", "matching", "words"),
    [
        (DisclosedNumber(True, 7, 7), 7, ""),
        (WITHHELD, 4, ""),
        (DisclosedNumber(True, 4, 4), 4, "under the minimum of 5"),
        (DisclosedNumber(True, 8, 8), 7, "holds 8, and the files in plaintext give 7"),
        (WITHHELD, 7, "holds withheld"),
        (DisclosedNumber(True, 5, 9), 7, "holds 5 to 9"),
        (None, 7, "holds no result"),
    ],
)
def test_a_number_is_right_in_its_band_and_not_under_the_minimum(agency, told, matching, words):
    holdings = NodeContents(agency, numbers={} if told is None else {KEY: told})
    found = judge_nodes([holdings], COUNT, [replace(CASE, matching=matching)]).violations
    assert len(found) == bool(words)
    assert words in "".join(each.what for each in found)


def test_who_may_know_a_number_may_know_no_record():
    (violation,) = judge_nodes(
        [NodeContents(BOARD, leads={KEY: (lead("P1"),)}, numbers={KEY: DisclosedNumber(True, 7, 7)})],
        COUNT,
        [COUNTED],
    ).violations
    assert "holds 1 leads" in violation.what


def test_a_sender_that_counts_may_log_it_and_not_keep_it():
    counting = NodeContents(COUNCIL, {KEY: "sender"}, logged=frozenset({KEY}))
    assert judge_nodes([counting], COUNT, [COUNTED]).violations == ()
    (violation,) = judge_nodes(
        [replace(counting, numbers={KEY: DisclosedNumber(True, 7, 7)})], COUNT, [COUNTED]
    ).violations
    assert "holds a result" in violation.what


def test_bands_sums_and_steps():
    def of(agency, **terms):
        edge = replace(edge_between(POLICE, COUNCIL, disclosure=Disclosure.COUNT), terms=Count(**terms))
        return next(each for each in declared(edge) if each.agency == agency)

    banded = of(POLICE, minimum_count=7, band=5)
    assert [banded.disclose(n, 0) for n in (6, 7, 9, 10)] == [
        WITHHELD,
        DisclosedNumber(True, 7, 9),
        DisclosedNumber(True, 7, 9),
        DisclosedNumber(True, 10, 14),
    ]
    sums = declared(edge_between(POLICE, COUNCIL, disclosure=Disclosure.SUM, value="contract_value"))
    (adding,) = [each for each in sums if each.agency == POLICE]
    assert adding.disclose(4, 900) == WITHHELD
    assert adding.disclose(5, 900) == DisclosedNumber(True, 900, 900)
    shared = replace(threshold_between([POLICE, COUNCIL], 2, BOARD), band=4)
    (collector,) = [each for each in declared(thresholds=[shared], collector=BOARD) if each.agency == BOARD]
    assert collector.disclose(2, 0) == WITHHELD
    assert collector.disclose(7, 0) == DisclosedNumber(True, 4, 4)


def test_submitted_records_hit_own_records_of_the_receiver_only():
    def violations(agency, *references):
        return judge_nodes(
            [NodeContents(agency, check_hits={(AGREEMENT, EDGE): references})], HITS, [CASE]
        ).violations

    assert [each.what for each in violations(POLICE, "P1")] == [
        "1 leads are missing that the files in plaintext give"
    ]
    assert "1 records that are not its own" in violations(POLICE, "P1", "V1")[-1].what
    for agency in (COUNCIL, BOARD):
        assert "gets no result here" in violations(agency, "V1")[-1].what


def test_facts_are_those_that_are_agreed():
    honest = replace(HONEST, leads={KEY: (lead("P1", contract_reference="C7"),)})
    assert judge_nodes([honest], FACTS, [CASE]).violations == ()
    more = replace(HONEST, leads={KEY: (lead("P1", contract_reference="C7", contract_value="9"),)})
    assert judge_nodes([more], FACTS, [CASE]).violations


def test_declarations_follow_the_agreement():
    knows = {each.agency: each.level for each in HITS}
    assert knows == {
        POLICE: DisclosureLevel.RECORDS,
        COUNCIL: DisclosureLevel.NOTHING,
        BOARD: DisclosureLevel.NOTHING,
    }
    assert {each.agency: each.level for each in COUNT} == {
        POLICE: DisclosureLevel.NUMBER,
        COUNCIL: DisclosureLevel.TALLY,
        BOARD: DisclosureLevel.NUMBER,
    }
    threshold = declared(thresholds=[threshold_between([POLICE, COUNCIL], 2, BOARD)], collector=BOARD)
    assert {each.agency: each.level for each in threshold} == {
        POLICE: DisclosureLevel.RECORDS,
        COUNCIL: DisclosureLevel.RECORDS,
        BOARD: DisclosureLevel.NUMBER,
    }


def test_a_secret_in_a_file_is_seen_wherever_it_stands(tmp_path):
    secrets = Secrets(frozenset({b"AE-N-100001", b"12345678", b"AE1 2BC", b"Fitzwilliam", b"1980-02-03"}))
    for number, word in enumerate(sorted(secrets.words)):
        # Across the border of two pieces too.
        (tmp_path / f"{number}.bin").write_bytes(bytes((1 << 22) - 4) + b" " + word + b"\0 more")
    (tmp_path / "innocent.bin").write_bytes(
        b"AE-N-100002 " + bytes(range(256)) * 50 + b" 123456789 12345678a"
    )
    found = list(search_files([tmp_path], secrets))
    assert [each.partition("/")[2].partition(":")[0] for each in found] == [f"{n}.bin" for n in range(5)]
