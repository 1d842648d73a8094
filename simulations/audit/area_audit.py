"""Opens every node of an area when all is done, and judges what it holds."""

from contextlib import ExitStack

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.simulations.audit.allowed import declarations
from blindmatch.simulations.audit.disclosed import audit_node
from blindmatch.simulations.audit.leak_scan import Secrets
from blindmatch.simulations.audit.verdict import AuditCase, Verdict, judge_nodes
from blindmatch.simulations.drivers.results import AreaResults, EdgeResult, ThresholdResult
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.world.truth import threshold_pairs, true_count, true_sum


def audit_area(setup: AreaSetup, exchange: AreaResults) -> Verdict:
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
        holdings = [audit_node(node, secrets, setup.wire_folder(agency)) for agency, node in nodes.items()]
    return judge_nodes(holdings, declared, cases)


def _case(result: EdgeResult) -> AuditCase:
    receiver, sender = result.edge.ends
    bonds = result.world.bonds
    matching, total = cleartext_figures(result)
    truth = f"{true_count(bonds[receiver.list], bonds[sender.list]):,} of {receiver.agency}'s records match"
    if result.edge.group.disclosure == "sum":
        truth = f"{true_sum(bonds[receiver.list], bonds[sender.list]):,} in all"
    return AuditCase(
        key=(result.round_id, result.edge.id),
        agreement=result.agreement,
        clear=result.clear,
        truth=truth,
        own={end.agency: frozenset(bonds[end.list].records) for end in result.edge.ends},
        matching=matching,
        total=total,
    )


def _shared_case(result: ThresholdResult) -> AuditCase:
    planned, bonds = result.threshold, result.world.bonds
    lists = {end.agency: bonds[end.list] for end in planned.members}
    held = threshold_pairs(lists, planned.joint.at_least)
    of = f"held by at least {planned.joint.at_least}"
    return AuditCase(
        key=(result.round_id, planned.id),
        agreement=result.agreement,
        clear=result.clear,
        truth=f"{sum(map(len, held.values())):,} records of all members are {of}",
        truths={agency: f"{len(found):,} of its records are {of}" for agency, found in held.items()},
        own={agency: frozenset(each.records) for agency, each in lists.items()},
        matching=0 if result.clear is None else result.clear.shared,
    )


def cleartext_figures(result: EdgeResult) -> tuple[int, int]:
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
