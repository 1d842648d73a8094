"""Runs a scenario: deploys every area, imports, agrees, compares, audits, and compares the leads with the truth."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blindmatch.node import server  # noqa: F401 -- before any import of gRPC: it sets the minimum TLS version
from blindmatch.node.compute.connection import connected
from blindmatch.node.compute.engine import check_installed
from blindmatch.node.storage.logs import configure
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.audit.area_audit import audit_area
from blindmatch.simulations.audit.area_outcome import area_outcome
from blindmatch.simulations.audit.outcome import AreaOutcome, SimulationOutcome
from blindmatch.simulations.drivers.deploy import create_authority, prepare_folder, write_inputs
from blindmatch.simulations.drivers.in_process import InProcessArea
from blindmatch.simulations.drivers.ray_nodes import RayMachines
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.subprocesses import SubprocessArea
from blindmatch.simulations.scenario.scenario import Area, Scenario
from blindmatch.simulations.world.area import build_area

AREAS_AT_ONCE = 2


@dataclass(frozen=True)
class _SharedResources:
    """The resources that all areas share."""

    passphrase: str = field(repr=False)
    cluster: Mapping[str, str | int] | None = None
    """The Ray cluster for every node's arithmetic."""
    machines: RayMachines | None = None
    """The machines on which the nodes run."""


@dataclass(frozen=True)
class Options:
    """How to run a scenario."""

    out: Path
    seed: int
    scale: float = 1.0
    processes: bool = False
    record_wire: Path | None = None
    engine: Literal["local", "ray"] = "local"
    """What does the nodes' arithmetic: each node itself, or a Ray cluster."""
    on: Literal["here", "ray"] = "here"
    """Where the nodes run: on this machine, or in processes of their own on the machines of a Ray cluster."""
    cluster: str = ""
    """The Ray cluster's address; empty: a cluster is started on this machine."""


def run(
    scenario: Scenario,
    options: Options,
    *,
    note: Callable[[str], None] = lambda _text: None,
    finished: Callable[[AreaOutcome], None] | None = None,
) -> SimulationOutcome:
    """Run a scenario to its end.

    Args:
        scenario: the loaded scenario.
        options: folder, scale, seed and the place of the nodes.
        note: receives progress messages for the terminal.
        finished: receives the outcome of every area, in the scenario's order.

    Raises:
        BlindmatchError: a step failed.
    """
    started = time.perf_counter()
    configure(level="warning", form="console")
    if os.environ.get("BLINDMATCH_DATABASE_URL"):
        raise ConfigError(
            "BLINDMATCH_DATABASE_URL is set: every node of the simulation would use one database",
            hint="Unset it; each node of a simulation uses its own SQLite file.",
        )
    wire = options.record_wire
    if wire is not None and wire.exists() and any(wire.iterdir()):
        raise ConfigError(
            f"{wire} is not empty", hint="Name an empty folder: two recordings cannot share one."
        )
    passphrase = prepare_folder(options.out)
    create_authority(options.out / "authority", passphrase, f"{scenario.name} simulation", time.time())
    try:
        with _shared(options, passphrase, note) as resources:
            areas = asyncio.run(_areas(scenario, options, resources, note, finished))
    except ExceptionGroup as group:
        raise _first(group) from None
    return SimulationOutcome(
        scenario=scenario.name,
        title=scenario.title,
        notice=scenario.notice,
        seed=options.seed,
        scale=options.scale,
        processes=options.processes or options.on == "ray",
        areas=tuple(areas),
        seconds=time.perf_counter() - started,
    )


@contextmanager
def _shared(options: Options, passphrase: str, note: Callable[[str], None]) -> Iterator[_SharedResources]:
    """The cluster in the form of a node's settings, with one worker per node, and as the machines of the nodes."""
    if options.engine == "local" and options.on == "here":
        yield _SharedResources(passphrase)
        return
    check_installed()
    with connected(options.cluster) as address:
        yield _SharedResources(
            passphrase,
            {"address": address, "workers": 1} if options.engine == "ray" else None,
            RayMachines(options.out.absolute(), note) if options.on == "ray" else None,
        )


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The first of several failures: an area that fails stops the others."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


async def _areas(
    scenario: Scenario,
    options: Options,
    resources: _SharedResources,
    note: Callable[[str], None],
    finished: Callable[[AreaOutcome], None] | None,
) -> list[AreaOutcome]:
    at_once = asyncio.Semaphore(max(AREAS_AT_ONCE, len(resources.machines or ())))

    async def one(area: Area) -> AreaOutcome:
        async with at_once:
            note(f"{area.name}: {', '.join(agency.name for agency in area.agencies)} …")
            return await _area(scenario, area, options, resources)

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one(area)) for area in scenario.areas]
        outcomes = []
        for task in started:
            outcomes.append(await task)
            if finished is not None:
                finished(outcomes[-1])
    return outcomes


async def _area(scenario: Scenario, area: Area, options: Options, resources: _SharedResources) -> AreaOutcome:
    started = time.perf_counter()
    area_data = await asyncio.to_thread(build_area, scenario, area, seed=options.seed, scale=options.scale)
    # An absolute path, which is the same on every machine.
    folder = options.out.absolute() / area.id
    sites = await asyncio.to_thread(write_inputs, scenario, area_data, folder)
    setup = AreaSetup(
        scenario=scenario,
        area_data=area_data,
        sites=sites,
        authority=options.out / "authority",
        passphrase=resources.passphrase,
        cluster=resources.cluster,
        record_wire=None if options.record_wire is None else options.record_wire.absolute() / area.id,
    )
    generating = time.perf_counter() - started
    apart = options.processes or resources.machines is not None
    results = await (SubprocessArea(setup, resources.machines) if apart else InProcessArea(setup)).run()
    started = time.perf_counter()
    verdict = await asyncio.to_thread(audit_area, setup, results)
    auditing = results.seconds.get("examine", 0.0) + time.perf_counter() - started
    seconds = {"invent": generating, **results.seconds, "examine": auditing}
    return area_outcome(area, results, verdict, seconds)
