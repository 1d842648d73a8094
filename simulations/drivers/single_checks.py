"""Single checks under a standing agreement: which records are checked."""

from collections.abc import Sequence
from pathlib import Path

from blindmatch.simulations.drivers.results import RecordCheck
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.plan import ExchangePlan, PlannedEdge
from blindmatch.simulations.world import input_files
from blindmatch.simulations.world.area import AreaData
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject


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
