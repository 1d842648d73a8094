"""Opens every node of an area after the last step, and audits what it holds."""

from contextlib import ExitStack

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.simulations.audit.allowed import declarations
from blindmatch.simulations.audit.disclosed import audit_node
from blindmatch.simulations.audit.leak_scan import Secrets
from blindmatch.simulations.audit.verdict import AuditCase, Verdict, judge_nodes
from blindmatch.simulations.drivers.results import AreaResults, EdgeResult, ThresholdResult
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.world.truth import threshold_pairs


def audit_area(setup: AreaSetup, results: AreaResults) -> Verdict:
    """Compare what every party learned with its declaration. Nodes on other machines are not audited.

    Raises:
        BlindmatchError: a node's folder cannot be opened.
    """
    secrets = Secrets.of(setup.area_data)
    with ExitStack() as stack:
        nodes = {
            site.agency: stack.enter_context(Node.open(site.home, setup.passphrase))
            for site in setup.sites
            if site.home.exists()
        }
        agreements = [
            registry.find(nodes[plan.parties[0]], bytes.fromhex(results.agreements[plan.exchange.id]))
            for plan in setup.plans
            if plan.parties[0] in nodes
        ]
        declared = [each for stored in agreements for each in declarations(stored.agreement, stored.id.hex())]
        cases = [_edge_case(result) for result in results.edges]
        cases += [_threshold_case(result) for result in results.thresholds]
        contents = [audit_node(node, secrets, setup.wire_folder(agency)) for agency, node in nodes.items()]
    return judge_nodes(contents, declared, cases)


def _edge_case(result: EdgeResult) -> AuditCase:
    links = result.area_data.links
    matching, total = result.cleartext_figures
    is_sum = result.edge.group.disclosure == "sum"
    what = "in all" if is_sum else f"of {result.edge.receiver.agency}'s records match"
    return AuditCase(
        key=(result.round_id, result.edge.id),
        agreement=result.agreement,
        cleartext=result.cleartext,
        truth=f"{result.truth:,} {what}",
        own={end.agency: frozenset(links[end.list].records) for end in result.edge.ends},
        matching=matching,
        total=total,
    )


def _threshold_case(result: ThresholdResult) -> AuditCase:
    planned = result.threshold
    links = {end.agency: result.area_data.links[end.list] for end in planned.members}
    pairs = threshold_pairs(links, planned.group.at_least)
    condition = f"held by at least {planned.group.at_least}"
    return AuditCase(
        key=(result.round_id, planned.id),
        agreement=result.agreement,
        cleartext=result.cleartext,
        truth=f"{sum(map(len, pairs.values())):,} records of all members are {condition}",
        truths={agency: f"{len(own):,} of its records are {condition}" for agency, own in pairs.items()},
        own={agency: frozenset(each.records) for agency, each in links.items()},
        matching=0 if result.cleartext is None else result.cleartext.shared,
    )
