"""The facts that this node releases with a hit, when the agreement of an edge names any."""

from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.protocol.agreement import Edge
from blindmatch.protocol.hits.facts import Facts, FactsOrder, as_stored


def facts_source(inputs: PreparedInputs, edge: Edge, order: FactsOrder = as_stored) -> Facts | None:
    """The facts of the sender's elements; None on an edge that releases no facts.

    Args:
        inputs: the sender's.
        edge: names the facts.
        order: the order of the facts of records that share an element.
    """
    if not edge.terms.fact_bytes:
        return None

    def facts_of(record: int) -> dict[str, str]:
        return dict(inputs.collection.record(int(inputs.selected[record])).facts)

    return Facts(inputs.tokens, facts_of, edge.terms.facts, edge.terms.fact_bytes, in_order=order)
