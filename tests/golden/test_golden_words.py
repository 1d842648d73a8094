"""What a comparison discloses, in the default words that parties sign.

These words may be reworded on purpose; then only this file is frozen anew. Nothing else here depends on them.
"""

from blindmatch.protocol.agreement import Count, Edge, Hits, HitsFacts, Side, Sum, Threshold, default_leakage

SCHEMA = "uk-person-company-2"
FORCE, COUNCIL = Side("west-force", "subjects", 1_000, 16), Side("north-council", "suppliers", 25_000, 8)
EDGES = {
    "hits": Hits(),
    "hits verified": Hits(verified=True),
    "hits and facts": HitsFacts(facts=("contract_reference", "contract_value"), fact_bytes=64),
    "count": Count(minimum_count=5, band=1),
    "count in bands, passed on": Count(
        minimum_count=1_000, band=1_000, report_to=("national", "south-council")
    ),
    "sum": Sum(minimum_count=5, band=1, value="contract_value"),
    "sum rounded": Sum(minimum_count=5, band=100_000, value="contract_value", decimals=2),
}


def test_the_default_words_of_every_disclosure(golden):
    edges = {
        name: Edge(id="an-edge", receiver=FORCE, sender=COUNCIL, leakage="-", terms=terms)
        for name, terms in EDGES.items()
    }
    threshold = Threshold("many", (FORCE, COUNCIL), 2, minimum_count=5, band=10, leakage="-")
    exact = Threshold("many", (FORCE, COUNCIL), 2, leakage="-")
    golden("words", {
        **{name: default_leakage(edge, SCHEMA) for name, edge in edges.items()},
        "hits, standing": default_leakage(edges["hits"], SCHEMA, standing=True),
        "count, standing": default_leakage(edges["count"], SCHEMA, standing=True),
        "threshold": default_leakage(threshold, SCHEMA, "national"),
        "threshold, a member collects": default_leakage(exact, SCHEMA, "west-force"),
    })  # fmt: skip
