"""Single checks under a standing agreement: which records are checked, how they are submitted or asked about, and the results."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.operations import checks
from blindmatch.node.server import Serving
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import RayNode
from blindmatch.simulations.drivers.results import CheckResult, RecordCheck
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.plan import ExchangePlan, PlannedEdge
from blindmatch.simulations.world import input_files
from blindmatch.simulations.world.area import AreaData
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject

LOOKUP_SECONDS = 60.0
"""The limit for the lookup of a submission, which runs in the background."""


def choose_checks(area_data: AreaData, plan: ExchangePlan, step: Step, register: Path) -> list[RecordCheck]:
    """The records that a step checks: records that a later step adds to the list, otherwise records of the list; known ones first.

    Args:
        area_data: the lists at this step.
        plan: the agreement; its first edge on which the agency has a side is used.
        step: the agency, and the number of records.
        register: the area's register; the file of each record is written below its folder.
    """
    edge = next(each for each in plan.edges if step.agency in (each.sender.agency, each.receiver.agency))
    mine, other = edge.ends if step.agency == edge.receiver.agency else edge.ends[::-1]
    later = area_data.later or area_data
    present = set(area_data.links[mine.list].records)
    rows: Sequence[Subject | Supplier] = [
        *later.subjects.get(mine.list, ()),
        *later.suppliers.get(mine.list, ()),
    ]
    added = [row for row in rows if row.reference not in present]
    theirs = {entity for entities in area_data.links[other.list].records.values() for entity in entities}
    entities = later.links[mine.list].records
    candidates = [row for row in added or rows if _checkable(row)]
    candidates.sort(key=lambda row: theirs.isdisjoint(entities[row.reference]))
    half = (step.records + 1) // 2
    chosen = candidates[:half] + candidates[len(candidates) - (step.records - half) :]
    if step.records >= len(candidates):
        chosen = candidates
    return [
        _write_check(edge, step.agency, row, register, not theirs.isdisjoint(entities[row.reference]))
        for row in chosen
    ]


def _checkable(row: Subject | Supplier) -> bool:
    """Whether a record has the required fields, and its handling code admits it."""
    if isinstance(row, Subject):
        return row.handling_code == "P" and bool(row.date_of_birth)
    return not row.noise & {NoiseKind.SUPPLIER_UNNUMBERED} and bool(row.company_number)


def _write_check(
    edge: PlannedEdge, agency: str, row: Subject | Supplier, register: Path, known: bool
) -> RecordCheck:
    folder = register.parent / "checks"
    folder.mkdir(exist_ok=True)
    path = folder / f"{agency}-{row.reference}.csv"
    if isinstance(row, Subject):
        input_files.write_police(path, [row])
        return RecordCheck(edge, agency, row.reference, path, None, known)
    input_files.write_suppliers(path, [row])
    return RecordCheck(edge, agency, row.reference, path, register, known)


async def check_in_process(
    nodes: Mapping[str, Node], servers: Mapping[str, Serving], stored: StoredAgreement, check: RecordCheck
) -> CheckResult:
    """Check one record between nodes of this process; returns the result."""
    outcome = await checks.check(
        nodes[check.agency],
        stored.id.hex(),
        checks.read_record(check.path),
        edge=check.edge.id,
        register=[] if check.register is None else [check.register],
    )
    if isinstance(outcome, checks.QueriedRecord):
        return CheckResult(check, tuple("" for _ in outcome.leads))
    receiver = check.edge.receiver.agency
    await servers[receiver].inbound.checks.settle()
    received = await asyncio.to_thread(checks.received, nodes[receiver], stored.id.hex())
    names = [
        lead.reference for each in received.checks if each.check in outcome.checks for lead in each.leads
    ]
    return CheckResult(check, tuple(dict.fromkeys(names)))


def check_by_command(
    handles: Mapping[str, NodeHandle | RayNode],
    agreement: str,
    check: RecordCheck,
    receiver: tuple[Path, str],
) -> CheckResult:
    """The same through the commands of nodes in separate processes.

    Args:
        handles: the nodes.
        agreement: the agreement's id.
        check: the record.
        receiver: the home of the edge's receiver, and the passphrase: its store shows when a submission has been looked up.

    Raises:
        LocalError: a command failed, or the lookup takes too long.
    """
    node, arguments = handles[check.agency], ["check", agreement, "--edge", check.edge.id]
    arguments += ["--record", str(check.path)]
    if check.register is not None:
        arguments += ["--register", str(check.register)]
    node.write_file(check.path, check.path.read_bytes())
    printed = node.run(*arguments)
    if not check.submits:
        return CheckResult(check, tuple("" for _ in printed["leads"]))
    _wait(*receiver)
    received = handles[check.edge.receiver.agency].run("check", agreement, "--received")
    own = [each for each in received["submitted"] if each["check"] in printed["submitted"]]
    return CheckResult(
        check, tuple(dict.fromkeys(lead["reference"] for each in own for lead in each["leads"]))
    )


def _wait(home: Path, passphrase: str) -> None:
    """Wait until every record that was submitted to a node has been looked up."""
    if not home.exists():
        raise LocalError(
            "single records can be submitted only to nodes whose folders are on this machine",
            hint="Run the scenario without --on ray, or with a cluster on this machine.",
        )
    deadline = time.monotonic() + LOOKUP_SECONDS
    with Node.open(home, passphrase) as node:
        while node.store.checks(looked=False):
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{node.agency}: a submitted record was not looked up within {LOOKUP_SECONDS:.0f} s"
                )
            time.sleep(0.05)
