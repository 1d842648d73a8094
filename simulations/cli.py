"""`blindmatch simulate` and `blindmatch bench`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node.cli.common import JsonOption, emit, note, table
from blindmatch.simulations.benchmarks.cli import app as bench_app


class Engine(StrEnum):
    """Who does heavy arithmetic."""

    LOCAL = "local"
    RAY = "ray"


class Where(StrEnum):
    """Whose machines the nodes are on."""

    HERE = "here"
    RAY = "ray"


simulate_app = typer.Typer(help="Run a scenario with many nodes on this machine.")


@simulate_app.command()
def simulate(
    *,
    scenario: Annotated[
        str, typer.Argument(help="A scenario's name (see --list), or a scenario file ending with .toml.")
    ] = "",
    listing: Annotated[bool, typer.Option("--list", help="List the scenarios and end.")] = False,
    areas: Annotated[int | None, typer.Option(min=1, help="Only the first so many areas.")] = None,
    scale: Annotated[
        float, typer.Option(min=0.001, max=1_000, help="Multiply every size of the scenario.")
    ] = 1.0,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the invented data; the scenario's own otherwise.")
    ] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Each node its own process, driven by the command line.")
    ] = False,
    on: Annotated[
        Where,
        typer.Option(
            help="Where the nodes are: on this machine, or each its own processes on the machines of a Ray cluster."
        ),
    ] = Where.HERE,
    engine: Annotated[
        Engine, typer.Option(help="Who does the nodes' heavy arithmetic: each its own, or a Ray cluster.")
    ] = Engine.LOCAL,
    cluster: Annotated[
        str,
        typer.Option(help="With ray: the cluster's address. Empty: one is started on this machine."),
    ] = "",
    record_wire: Annotated[
        Path | None, typer.Option(help="Keep every decrypted message of every node below this folder.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for nodes, input files and reports; the scenario's name otherwise."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a scenario: invented people, real nodes, mutual TLS on this machine, and the truth to compare with.

    Writes summary.json and report.html into the folder, beside the nodes and their input files. The same seed gives the
    same files and the same leads. When all is done every node is looked into: what it holds must be what its agreements
    declare, or the command ends with status 1.

    For example:

        blindmatch simulate pilot
        blindmatch simulate gain --scale 0.3
        blindmatch simulate pilot --areas 1 --scale 0.3 --processes --record-wire wire
        blindmatch simulate pilot --areas 1 --engine ray
        blindmatch simulate pilot --on ray --cluster 10.0.0.1:6379
    """
    from blindmatch.simulations.scenario.scenario import load_scenario, scenario_names  # noqa: PLC0415 - slow to import

    if listing:
        known = [load_scenario(name) for name in scenario_names()]
        rows = [
            (item.name, len(item.areas), sum(len(area.agencies) for area in item.areas), item.title)
            for item in known
        ]
        names = ("name", "areas", "agencies", "title")
        data = [dict(zip(names, row, strict=True)) for row in rows]
        emit(data, as_json, lambda: table(("scenario", *names[1:]), rows))
        return
    if not scenario:
        raise typer.BadParameter("name a scenario, or give --list")
    from blindmatch.simulations.report import write_page, write_summary  # noqa: PLC0415
    from blindmatch.simulations.run import Options, run  # noqa: PLC0415
    from blindmatch.simulations.show import show_area, show_totals, show_violations  # noqa: PLC0415

    chosen = load_scenario(scenario).first(areas)
    folder = out or Path(chosen.name)
    options = Options(
        out=folder,
        seed=chosen.seed if seed is None else seed,
        scale=scale,
        processes=processes,
        record_wire=record_wire,
        on=on.value,
        engine=engine.value,
        cluster=cluster,
    )
    note(chosen.notice)
    outcome = run(chosen, options, note=note, finished=None if as_json else show_area)
    summary = write_summary(folder / "summary.json", outcome)
    write_page(folder / "report.html", outcome, summary)
    emit(summary, as_json, lambda: show_totals(outcome, folder / "report.html"))
    if outcome.violations:
        show_violations(outcome)
        raise typer.Exit(1)


__all__ = ["bench_app", "simulate_app"]
