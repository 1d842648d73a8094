"""Single records compared under a standing agreement: which are chosen, how they are submitted or asked about, what came of it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from blindmatch.node.agreements import StoredAgreement
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
"""A submission is looked up in the background, in a moment."""


def choose_checks(world: AreaData, plan: ExchangePlan, step: Step, register: Path) -> list[RecordCheck]:
    """The records of a step: those that will join the agency's list if it changes, otherwise some of the list; known ones first.

    Args:
        world: as it is.
        plan: the agreement; its first edge on which the agency has a side.
        step: who checks, and how many.
        register: the area's; its folder takes a file for each record.
    """
    edge = next(each for each in plan.edges if step.agency in (each.sender.agency, each.receiver.agency))
    mine, other = edge.ends if step.agency == edge.receiver.agency else edge.ends[::-1]
    later = world.later or world
    present = set(world.bonds[mine.list].records)
    rows: Sequence[Subject | Supplier] = [
        *later.subjects.get(mine.list, ()),
        *later.suppliers.get(mine.list, ()),
    ]
    joining = [row for row in rows if row.reference not in present]
    theirs = {bond for ties in world.bonds[other.list].records.values() for bond in ties}
    ties = later.bonds[mine.list].records
    able = [row for row in joining or rows if _checkable(row)]
    able.sort(key=lambda row: theirs.isdisjoint(ties[row.reference]))
    half = (step.records + 1) // 2
    chosen = able[:half] + able[len(able) - (step.records - half) :] if step.records < len(able) else able
    return [
        _question(edge, step.agency, row, register, not theirs.isdisjoint(ties[row.reference]))
        for row in chosen
    ]


def _checkable(row: Subject | Supplier) -> bool:
    """Whether a record says enough to be read, and may enter."""
    if isinstance(row, Subject):
        return row.handling == "P" and bool(row.date_of_birth)
    return not row.mistakes & {NoiseKind.SUPPLIER_UNNUMBERED} and bool(row.company_number)


def _question(
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
    nodes: Mapping[str, Node], servers: Mapping[str, Serving], held: StoredAgreement, question: RecordCheck
) -> CheckResult:
    """Check one record between nodes of this process; returns when the answer is there."""
    result = await checks.check(
        nodes[question.agency],
        held.id.hex(),
        checks.read_record(question.path),
        edge=question.edge.id,
        register=[] if question.register is None else [question.register],
    )
    if isinstance(result, checks.QueriedRecord):
        return CheckResult(question, tuple("" for _ in result.leads))
    receiver = question.edge.receiver.agency
    await servers[receiver].inbound.checks.settle()
    received = await asyncio.to_thread(checks.received, nodes[receiver], held.id.hex())
    names = [lead.reference for each in received.checks if each.check in result.checks for lead in each.leads]
    return CheckResult(question, tuple(dict.fromkeys(names)))


def check_by_command(
    at: Mapping[str, NodeHandle | RayNode], agreement: str, question: RecordCheck, receiver: tuple[Path, str]
) -> CheckResult:
    """The same through the command lines of nodes that are processes.

    Args:
        at: the nodes.
        agreement: its id.
        question: what to check.
        receiver: the home of the edge's receiver, and the passphrase: its store says when a submission was looked up.

    Raises:
        LocalError: a command failed, or the lookup takes too long.
    """
    node, words = at[question.agency], ["check", agreement, "--edge", question.edge.id]
    words += ["--record", str(question.path)]
    if question.register is not None:
        words += ["--register", str(question.register)]
    node.keep(question.path, question.path.read_bytes())
    said = node.run(*words)
    if not question.submits:
        return CheckResult(question, tuple("" for _ in said["leads"]))
    _wait(*receiver)
    shown = at[question.edge.receiver.agency].run("check", agreement, "--received")
    mine = [each for each in shown["submitted"] if each["check"] in said["submitted"]]
    return CheckResult(
        question, tuple(dict.fromkeys(lead["reference"] for each in mine for lead in each["leads"]))
    )


def _wait(home: Path, passphrase: str) -> None:
    """Until nothing that was submitted to a node waits to be looked up."""
    if not home.exists():
        raise LocalError(
            "single records can be submitted only to nodes whose folders are on this machine",
            hint="Run the scenario without --on ray, or with a cluster on this machine.",
        )
    deadline = time.monotonic() + LOOKUP_SECONDS
    with Node.open(home, passphrase) as node:
        while node.store.checks(looked=False):
            if time.monotonic() > deadline:
                raise LocalError(f"{node.agency}: a submitted record is not looked up")
            time.sleep(0.05)
