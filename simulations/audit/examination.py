"""Opens every node of an area when all is done, and judges what it holds."""

from contextlib import ExitStack
from pathlib import Path

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.simulations.audit.allowed import declarations
from blindmatch.simulations.audit.disclosed import look_into
from blindmatch.simulations.audit.leak_scan import Secrets
from blindmatch.simulations.audit.verdict import Case, Verdict, judge_nodes
from blindmatch.simulations.drivers.exchange import EdgeResult, Exchange, Setup, ThresholdResult
from blindmatch.simulations.world.truth import held_by, true_count, true_sum


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
            registry.find(nodes[party], bytes.fromhex(exchange.agreements[plan.pact.id]))
            for plan in setup.plans
            for party in plan.parties[:1]
            if party in nodes
        ]
        declared = [each for held in signed for each in declarations(held.agreement, held.id.hex())]
        cases = [_case(result) for result in exchange.edges]
        cases += [_shared_case(result) for result in exchange.thresholds]
        holdings = [look_into(node, secrets, _wire(setup, agency)) for agency, node in nodes.items()]
    return judge_nodes(holdings, declared, cases)


def _wire(setup: Setup, agency: str) -> Path | None:
    return None if setup.record_wire is None else setup.record_wire / agency


def _case(result: EdgeResult) -> Case:
    receiver, sender = result.edge.ends
    bonds = result.world.bonds
    matching, total = in_the_clear(result)
    truth = f"{true_count(bonds[receiver.list], bonds[sender.list]):,} of {receiver.agency}'s records match"
    if result.edge.group.disclosure == "sum":
        truth = f"{true_sum(bonds[receiver.list], bonds[sender.list]):,} in all"
    return Case(
        key=(result.round_id, result.edge.id),
        agreement=result.agreement,
        clear=result.clear,
        truth=truth,
        own={end.agency: frozenset(bonds[end.list].records) for end in result.edge.ends},
        matching=matching,
        total=total,
    )


def _shared_case(result: ThresholdResult) -> Case:
    planned, bonds = result.threshold, result.world.bonds
    lists = {end.agency: bonds[end.list] for end in planned.members}
    held = held_by(lists, planned.joint.at_least)
    of = f"held by at least {planned.joint.at_least}"
    return Case(
        key=(result.round_id, planned.id),
        agreement=result.agreement,
        clear=result.clear,
        truth=f"{sum(map(len, held.values())):,} records of all members are {of}",
        truths={agency: f"{len(found):,} of its records are {of}" for agency, found in held.items()},
        own={agency: frozenset(each.records) for agency, each in lists.items()},
        matching=0 if result.clear is None else result.clear.shared,
    )


def in_the_clear(result: EdgeResult) -> tuple[int, int]:
    """How many records match by the same keys in the clear, and what their values add up to, each rounded to the band.

    A count is of the receiver's records, a sum is over the sender's. Both are 0 for hits, and where nothing was compared
    in the clear.
    """
    group, clear = result.edge.group, result.clear
    if clear is None or not group.number:
        return 0, 0
    receiver, sender = result.edge.ends
    if group.disclosure == "count":
        return len(clear.matching[receiver.agency]), 0
    matched, band = clear.matching[sender.agency], group.band
    values = result.world.bonds[sender.list].values
    return len(matched), sum((2 * values[each] + band) // (2 * band) * band for each in matched)
