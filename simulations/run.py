"""Runs a scenario: every area deployed, imported, agreed and compared, and the leads set beside the truth."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blindmatch.node import server  # noqa: F401 -- before anything imports gRPC: it fixes the least TLS version
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
class _Given:
    """What all areas share."""

    passphrase: str = field(repr=False)
    cluster: Mapping[str, str | int] | None = None
    """For every node's heavy arithmetic."""
    machines: RayMachines | None = None
    """Where the nodes go."""


@dataclass(frozen=True)
class Options:
    """How to run a scenario."""

    out: Path
    seed: int
    scale: float = 1.0
    processes: bool = False
    record_wire: Path | None = None
    engine: Literal["local", "ray"] = "local"
    """Who does the nodes' heavy arithmetic: each its own, or a Ray cluster."""
    on: Literal["here", "ray"] = "here"
    """Where the nodes are: on this machine, or on the machines of a Ray cluster, each its own processes there."""
    cluster: str = ""
    """The Ray cluster's address; empty: one is started on this machine, for all nodes."""


def run(
    scenario: Scenario,
    options: Options,
    *,
    note: Callable[[str], None] = lambda _text: None,
    finished: Callable[[AreaOutcome], None] | None = None,
) -> SimulationOutcome:
    """Run a scenario to its end.

    Args:
        scenario: as loaded.
        options: where, how large, which seed.
        note: told what happens, for a person at a terminal.
        finished: given every area when it is done, in the scenario's order.

    Raises:
        BlindmatchError: a step failed.
    """
    started = time.perf_counter()
    configure(level="warning", form="console")
    if os.environ.get("BLINDMATCH_DATABASE_URL"):
        raise ConfigError(
            "BLINDMATCH_DATABASE_URL is set: every node of the simulation would use one database",
            hint="Unset it; the nodes of a simulation keep SQLite files of their own.",
        )
    if (
        options.record_wire is not None
        and options.record_wire.exists()
        and any(options.record_wire.iterdir())
    ):
        raise ConfigError(
            f"{options.record_wire} is not empty", hint="Two recordings do not go into one folder."
        )
    passphrase = prepare_folder(options.out)
    create_authority(options.out / "authority", passphrase, f"{scenario.name} simulation", time.time())
    try:
        with _shared(options, passphrase, note) as given:
            areas = asyncio.run(_areas(scenario, options, given, note, finished))
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
def _shared(options: Options, passphrase: str, note: Callable[[str], None]) -> Iterator[_Given]:
    """The cluster as a node's settings name it, one worker for each node, and as machines that nodes are put on."""
    if options.engine == "local" and options.on == "here":
        yield _Given(passphrase)
        return
    check_installed()
    with connected(options.cluster) as address:
        yield _Given(
            passphrase,
            {"address": address, "workers": 1} if options.engine == "ray" else None,
            RayMachines(options.out.absolute(), note) if options.on == "ray" else None,
        )


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """One failure of several: an area that fails stops the others."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


async def _areas(
    scenario: Scenario,
    options: Options,
    given: _Given,
    note: Callable[[str], None],
    finished: Callable[[AreaOutcome], None] | None,
) -> list[AreaOutcome]:
    at_once = asyncio.Semaphore(max(AREAS_AT_ONCE, len(given.machines or ())))

    async def one(area: Area) -> AreaOutcome:
        async with at_once:
            note(f"{area.name}: {', '.join(agency.name for agency in area.agencies)} …")
            return await _area(scenario, area, options, given)

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one(area)) for area in scenario.areas]
        done = []
        for task in started:
            done.append(await task)
            if finished is not None:
                finished(done[-1])
    return done


async def _area(scenario: Scenario, area: Area, options: Options, given: _Given) -> AreaOutcome:
    begun = time.perf_counter()
    world = await asyncio.to_thread(build_area, scenario, area, seed=options.seed, scale=options.scale)
    # On every machine the same: a node's place has no other name.
    folder = options.out.absolute() / area.id
    sites = await asyncio.to_thread(write_inputs, scenario, world, folder)
    setup = AreaSetup(
        scenario=scenario,
        world=world,
        sites=sites,
        authority=options.out / "authority",
        passphrase=given.passphrase,
        cluster=given.cluster,
        record_wire=None if options.record_wire is None else options.record_wire.absolute() / area.id,
    )
    invented = time.perf_counter() - begun
    if options.processes or given.machines:
        exchange = await asyncio.to_thread(SubprocessArea(setup, given.machines).run)
    else:
        exchange = await InProcessArea(setup).run()
    begun = time.perf_counter()
    verdict = await asyncio.to_thread(audit_area, setup, exchange)
    spent = exchange.seconds.get("examine", 0.0) + time.perf_counter() - begun
    seconds = {"invent": invented, **exchange.seconds, "examine": spent}
    return area_outcome(area, exchange, verdict, seconds)
