"""Opens every node of an area when all is done, and judges what it holds."""

from contextlib import ExitStack
from pathlib import Path

from blindmatch.node.agreements import book
from blindmatch.node.home import Node
from blindmatch.simulations.declared import declarations
from blindmatch.simulations.exchange import EdgeResult, Exchange, Setup
from blindmatch.simulations.holdings import look_into
from blindmatch.simulations.sightings import Secrets
from blindmatch.simulations.truth import true_count
from blindmatch.simulations.verdict import Case, Verdict, judge_nodes


def examine(setup: Setup, exchange: Exchange) -> Verdict:
    """What every party learned, held against its declaration. Nodes on other machines are left out.

    Raises:
        BlindmatchError: a node's folder cannot be opened.
    """
    secrets = Secrets.of(setup.world)
    with ExitStack() as stack:
        nodes = {
            site.agency: stack.enter_context(Node.open(site.home, setup.passphrase))
            for site in setup.sites
            if site.home.exists()
        }
        signed = [
            book.find(nodes[party], bytes.fromhex(exchange.agreements[plan.pact.id]))
            for plan in setup.plans
            for party in plan.parties[:1]
            if party in nodes
        ]
        declared = [each for held in signed for each in declarations(held.agreement, held.id.hex())]
        cases = [_case(setup, result) for result in exchange.edges]
        holdings = [look_into(node, secrets, _wire(setup, agency)) for agency, node in nodes.items()]
    return judge_nodes(holdings, declared, cases)


def _wire(setup: Setup, agency: str) -> Path | None:
    return None if setup.record_wire is None else setup.record_wire / agency


def _case(setup: Setup, result: EdgeResult) -> Case:
    receiver, sender = result.edge.ends
    bonds = setup.world.bonds
    count = true_count(bonds[receiver.list], bonds[sender.list])
    return Case(
        key=(result.round_id, result.edge.id),
        agreement=result.agreement,
        clear=result.clear,
        truth=f"{count:,} of {receiver.agency}'s records belong to one of {sender.agency}'s",
        own={end.agency: frozenset(bonds[end.list].records) for end in result.edge.ends},
    )
