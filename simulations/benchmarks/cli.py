"""`blindmatch bench`: measures this machine by workloads; each ends with a table and a plot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node.cli.options import AsJson
from blindmatch.node.cli.output import emit, note, table

if TYPE_CHECKING:  # slow to import
    from blindmatch.simulations.benchmarks.figures import BenchReport

app = typer.Typer(
    help="Measure this machine: the curve, rounds, imports, other packages, a cluster.", no_args_is_help=True
)

MOST_ELEMENTS = 20_000_000

ElementsOption = Annotated[
    list[int] | None,
    typer.Option("--n", min=8, max=MOST_ELEMENTS, help="Elements on each side; can be repeated."),
]
RecordsOption = Annotated[
    list[int] | None,
    typer.Option("--n", min=40, max=MOST_ELEMENTS, help="Records on each side; can be repeated."),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder for the figures (JSON) and the plot (SVG).", file_okay=False)
]


def _sizes(chosen: list[int] | None, *default: int) -> list[int]:
    return sorted(set(chosen or default))


def _finish(report: "BenchReport", out: Path | None, as_json: bool) -> None:
    """Print the table and the plot, or the figures; with `out`, write both."""

    def render() -> None:
        table(tuple(report.columns), report.rows)
        for line in report.sketch():
            typer.echo(line)
        for remark in report.data["remarks"]:
            typer.echo(f"- {remark}")

    emit(report.data, as_json, render)
    if out is not None:
        for path in report.write(out):
            note(f"written: {path}")


@app.command()
def kernel(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=1, max=1 << 20, help="Elements in a batch; can be repeated."),
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Only this group backend; can be repeated.")
    ] = None,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure every operation of a round per element: per group backend, on one core and on all.

    For example:

        blindmatch bench kernel
        blindmatch bench kernel --backend libsodium --n 4096
    """
    from blindmatch.protocol import group  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks.figures import select  # noqa: PLC0415
    from blindmatch.simulations.benchmarks.kernel import SIZES, measure  # noqa: PLC0415

    available = {name: name for name in group.available()}
    backends = select(available, backend or (), "group backend", available)
    _finish(measure(_sizes(n, *SIZES), backends=backends, note=note), out, as_json)


@app.command()
def pair(
    *,
    n: ElementsOption = None,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure one comparison of n by n elements between two node processes, and its ratio to a bare loop.

    The bare loop runs the same group operations and nothing else, with one process per core. The ratio counts the CPU
    seconds of both nodes, from the start of the round's command to its end; the second ratio excludes the cost of the smallest
    round.

    For example:

        blindmatch bench pair --n 100000
        blindmatch bench pair --n 10000 --n 100000 --n 1000000 --out figures
    """
    from blindmatch.simulations.benchmarks.pair import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, 2_000, 20_000), note=note), out, as_json)


@app.command()
def number(
    *,
    n: ElementsOption = None,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure a count and a sum of n by n elements between two node processes, beside a round of hits over the same lists.

    For example:

        blindmatch bench number --n 10000
        blindmatch bench number --n 10000 --n 100000 --out figures
    """
    from blindmatch.simulations.benchmarks.aggregate import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, 2_000, 20_000), note=note), out, as_json)


@app.command()
def threshold(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=8, max=1_000_000, help="Elements of each member; can be repeated."),
    ] = None,
    members: Annotated[int, typer.Option(min=2, max=10, help="Number of agencies with a list.")] = 5,
    at_least: Annotated[
        int, typer.Option(min=2, max=10, help="Number of members that must hold an element.")
    ] = 3,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure one threshold among several node processes and a collector.

    For example:

        blindmatch bench threshold
        blindmatch bench threshold --n 10000 --n 40000 --members 8 --at-least 4
    """
    from blindmatch.simulations.benchmarks.threshold import measure_all  # noqa: PLC0415 - slow to import

    if at_least > members:
        raise typer.BadParameter("--at-least is larger than --members")
    _finish(measure_all(_sizes(n, 1_000, 10_000), members, at_least, note=note), out, as_json)


@app.command()
def delta(
    *,
    n: RecordsOption = None,
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the records that change.")] = 0.01,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure a delta round of a standing agreement, and its ratio to the full round: CPU seconds and bytes of both sides.

    For example:

        blindmatch bench delta --n 100000
        blindmatch bench delta --n 1000 --n 10000 --share 0.05 --out figures
    """
    from blindmatch.simulations.benchmarks.delta import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, 1_000, 10_000), share, note=note), out, as_json)


@app.command()
def single(
    *,
    n: RecordsOption = None,
    checks: Annotated[int, typer.Option(min=10, max=4_000, help="Checks in each direction.")] = 100,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure the time of one single check over an open channel: a submission, and a query.

    For example:

        blindmatch bench single
        blindmatch bench single --n 100000 --checks 500
    """
    from blindmatch.simulations.benchmarks import single as workload  # noqa: PLC0415 - slow to import

    costs = [workload.measure(records, checks, note=note) for records in _sizes(n, 1_000)]
    _finish(workload.report(costs), out, as_json)


@app.command("import")
def import_(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=2, max=MOST_ELEMENTS, help="Rows of each file; can be repeated."),
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option("--format", help="Only this format; can be repeated.")
    ] = None,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure rows per CPU second and peak memory of imports: CSV, PSC snapshot and officers bulk, as records and as registers.

    For example:

        blindmatch bench import
        blindmatch bench import --format psc-records --n 1000000
    """
    from blindmatch.simulations.benchmarks.figures import select  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks.imports import FORMATS, measure  # noqa: PLC0415

    _finish(
        measure(_sizes(n, 2_000, 20_000), select(FORMATS, form or (), "format", FORMATS), note=note),
        out,
        as_json,
    )


@app.command()
def peers(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=20, max=10_000_000, help="Records on each side; can be repeated."),
    ] = None,
    contender: Annotated[
        list[str] | None, typer.Option("--with", help="Only this contender; can be repeated.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the records that both sides hold.")
    ] = 0.05,
    python_spu: Annotated[
        Path | None,
        typer.Option(help="Python interpreter with spu. Default: the one that --install created."),
    ] = None,
    python_psi: Annotated[Path | None, typer.Option(help="Python interpreter with openmined-psi.")] = None,
    install: Annotated[
        bool, typer.Option("--install", help="First install both packages into environments of their own.")
    ] = False,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Run the same job, two CSV files of identifiers, through blindmatch, spu (SecretFlow) and openmined-psi.

    Both sides run on this machine. The cost is counted from the start of each process to its end, from input file to output
    file. The other packages are not dependencies of blindmatch: --install installs them with pip, into the user's cache folder.

    For example:

        blindmatch bench peers --install
        blindmatch bench peers --n 10000 --n 100000 --out figures
    """
    from blindmatch.simulations.benchmarks import environments  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks import peers as workload  # noqa: PLC0415
    from blindmatch.simulations.benchmarks.figures import select  # noqa: PLC0415
    from blindmatch.simulations.benchmarks.peer_job import CONTENDERS, USUAL  # noqa: PLC0415

    contenders = select(CONTENDERS, contender or (), "contender", USUAL)
    cache = environments.cache_folder()
    pythons = {"spu": python_spu, "openmined-psi": python_psi}
    if install:
        missing = [name for name in dict.fromkeys(c.package for c in contenders) if pythons[name] is None]
        workload.install(missing, cache, note)
    interpreters = workload.interpreters(contenders, pythons, cache)
    report = workload.measure(_sizes(n, 1_000, 10_000), contenders, interpreters, overlap=overlap, note=note)
    _finish(report, out, as_json)


@app.command()
def scale(
    *,
    n: ElementsOption = None,
    workers: Annotated[
        list[int] | None,
        typer.Option(min=1, max=256, help="Number of local Ray workers; can be repeated."),
    ] = None,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure the costly steps on local Ray workers (requires blindmatch[cluster]), and model a whole country.

    Measures elements per second without a cluster, with one worker and with two, and derives a model of 43 forces that each
    compare with 317 councils. The remarks state its formula and its assumptions.

    For example:

        blindmatch bench scale --n 200000
        blindmatch bench scale --n 50000 --n 500000 --workers 1 --workers 2 --workers 4 --out figures
    """
    from blindmatch.node.compute.engine import check_installed  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks.scale import measure_all  # noqa: PLC0415

    check_installed()
    _finish(measure_all(_sizes(n, 20_000, 200_000), _sizes(workers, 1, 2), note=note), out, as_json)


@app.command()
def check(
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Store the figures of this run for later comparisons.")
    ] = False,
    instructions: Annotated[
        bool,
        typer.Option(
            "--instructions", help="Count instructions too (requires valgrind; takes some minutes)."
        ),
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(help="History file. Default: the one of the source tree.", dir_okay=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Detect performance regressions, independently of the speed of the machine; exits with status 1 if there are any.

    For example:

        blindmatch bench check
        blindmatch bench check --update
    """
    from blindmatch.simulations.benchmarks import regression  # noqa: PLC0415 - slow to import

    outcome = regression.run(
        history or regression.HISTORY, update=update, instructions=instructions, note=note
    )
    emit(outcome.data, as_json, lambda: table(regression.COLUMNS, outcome.rows))
    for problem in outcome.problems:
        note(f"error: {problem}")
    if outcome.problems:
        raise typer.Exit(1)
