"""`blindmatch simulate` and `blindmatch bench`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node.cli.options import AsJson
from blindmatch.node.cli.output import emit, note, table
from blindmatch.simulations.benchmarks.cli import app as bench_app


class Engine(StrEnum):
    """What does the nodes' arithmetic."""

    LOCAL = "local"
    RAY = "ray"


class Where(StrEnum):
    """Where the nodes run."""

    HERE = "here"
    RAY = "ray"


simulate_app = typer.Typer(help="Run a scenario with many nodes on this machine.")


@simulate_app.command()
def simulate(
    *,
    scenario: Annotated[
        str, typer.Argument(help="Name of a scenario (see --list), or path of a scenario file (.toml).")
    ] = "",
    listing: Annotated[bool, typer.Option("--list", help="List the scenarios and exit.")] = False,
    areas: Annotated[
        int | None, typer.Option(min=1, help="Run only this number of areas, from the first.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.001, max=1_000, help="Factor for all list sizes of the scenario.")
    ] = 1.0,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the invented data. Default: the scenario's own.")
    ] = None,
    processes: Annotated[
        bool,
        typer.Option("--processes", help="Run each node in its own process, driven by the command line."),
    ] = False,
    on: Annotated[
        Where,
        typer.Option(
            help="Where the nodes run: on this machine, or in their own processes on the machines of a Ray cluster."
        ),
    ] = Where.HERE,
    engine: Annotated[
        Engine,
        typer.Option(help="What does the nodes' arithmetic: each node itself, or a Ray cluster."),
    ] = Engine.LOCAL,
    cluster: Annotated[
        str,
        typer.Option(help="Address of the Ray cluster. Default: start one on this machine."),
    ] = "",
    record_wire: Annotated[
        Path | None, typer.Option(help="Record every decrypted message of every node in this folder.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for nodes, input files and reports. Default: the scenario's name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario with invented people and real nodes over mutual TLS, and compare the results with the truth.

    Writes summary.json and report.html into the folder, beside the nodes and their input files. The same seed gives the
    same files and the same leads. After the last step every node is audited. If a node holds anything that its agreements do
    not declare, the command exits with status 1.

    For example:

        blindmatch simulate pilot
        blindmatch simulate gain --scale 0.3
        blindmatch simulate pilot --areas 1 --scale 0.3 --processes --record-wire wire
        blindmatch simulate pilot --areas 1 --engine ray
        blindmatch simulate pilot --on ray --cluster 10.0.0.1:6379
    """
    from blindmatch.simulations.scenario.scenario import load_scenario, scenario_names  # noqa: PLC0415 - slow to import

    if listing:
        scenarios = [load_scenario(name) for name in scenario_names()]
        rows = [
            (item.name, len(item.areas), sum(len(area.agencies) for area in item.areas), item.title)
            for item in scenarios
        ]
        names = ("name", "areas", "agencies", "title")
        data = [dict(zip(names, row, strict=True)) for row in rows]
        emit(data, as_json, lambda: table(("scenario", *names[1:]), rows))
        return
    if not scenario:
        raise typer.BadParameter("name a scenario, or use --list")
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
    write_page(folder / "report.html", outcome)
    emit(summary, as_json, lambda: show_totals(outcome, folder / "report.html"))
    if outcome.violations:
        show_violations(outcome)
        raise typer.Exit(1)


__all__ = ["bench_app", "simulate_app"]
