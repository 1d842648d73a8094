"""`blindmatch bench`: what this machine does, workload by workload; each ends with a table and a plot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node.cli.common import JsonOption, emit, note, table
from blindmatch.protocol.errors import ConfigError

if TYPE_CHECKING:  # slow to import
    from blindmatch.simulations.benchmarks.figures import BenchReport

app = typer.Typer(
    help="Measure this machine: the curve, a round, imports, other packages, a cluster.", no_args_is_help=True
)

MOST_ELEMENTS = 20_000_000
PAIR_SIZES = (2_000, 20_000)
DELTA_SIZES = (1_000, 10_000)
SINGLE_SIZES = (1_000,)
NUMBER_SIZES = (2_000, 20_000)
IMPORT_SIZES = (2_000, 20_000)
THRESHOLD_SIZES = (1_000, 10_000)
PEERS_SIZES = (1_000, 10_000)
SCALE_SIZES = (20_000, 200_000)
SCALE_WORKERS = (1, 2)

OutOption = Annotated[
    Path | None, typer.Option(help="Folder for the figures (JSON) and the plot (SVG).", file_okay=False)
]


def _sizes(given: list[int] | None, usual: tuple[int, ...]) -> list[int]:
    return sorted(set(given or usual))


def _finish(report: "BenchReport", out: Path | None, as_json: bool) -> None:
    """Print the table and the plot, or the figures; write both where they are wanted."""

    def render() -> None:
        table(report.columns, report.rows)
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
        typer.Option("--n", min=1, max=1 << 20, help="Elements in a batch; several are possible."),
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Only this group backend; may be given several times.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every operation of a round per element: per group backend, on one core and on all.

    For example:

        blindmatch bench kernel
        blindmatch bench kernel --backend libsodium --n 4096
    """
    from blindmatch.protocol import group  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks.kernel import SIZES, measure  # noqa: PLC0415

    for name in backend or ():
        if name not in group.available():
            raise ConfigError(
                f"no group backend {name!r} here", hint=f"There are: {', '.join(group.available())}."
            )
    _finish(measure(_sizes(n, SIZES), backends=backend or (), note=note), out, as_json)


@app.command()
def pair(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=8, max=MOST_ELEMENTS, help="Elements on each side; several are possible."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure one comparison of n by n elements between two node processes, and its ratio to a bare loop.

    The bare loop is the same group operations and nothing else, one process per core, in the same run. The ratio counts
    CPU seconds of both nodes, from the start of the round's command to its end; the second ratio leaves out what the smallest
    round costs.

    For example:

        blindmatch bench pair --n 100000
        blindmatch bench pair --n 10000 --n 100000 --n 1000000 --out figures
    """
    from blindmatch.simulations.benchmarks.pair import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, PAIR_SIZES), note=note), out, as_json)


@app.command()
def number(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=8, max=MOST_ELEMENTS, help="Elements on each side; several are possible."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a count and a sum of n by n elements between two node processes, beside a round of hits over the same lists.

    For example:

        blindmatch bench number --n 10000
        blindmatch bench number --n 10000 --n 100000 --out figures
    """
    from blindmatch.simulations.benchmarks.aggregate import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, NUMBER_SIZES), note=note), out, as_json)


@app.command()
def threshold(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=8, max=1_000_000, help="Elements of each member; several are possible."),
    ] = None,
    members: Annotated[int, typer.Option(min=2, max=10, help="Agencies that bring a list.")] = 5,
    at_least: Annotated[int, typer.Option(min=2, max=10, help="How many of them must hold an element.")] = 3,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure one threshold: what at least so many of several node processes hold, found by one more, the collector.

    For example:

        blindmatch bench threshold
        blindmatch bench threshold --n 10000 --n 40000 --members 8 --at-least 4
    """
    from blindmatch.simulations.benchmarks.threshold import measure_all  # noqa: PLC0415 - slow to import

    if at_least > members:
        raise typer.BadParameter("--at-least is more than --members")
    _finish(measure_all(_sizes(n, THRESHOLD_SIZES), members, at_least, note=note), out, as_json)


@app.command()
def delta(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=40, max=MOST_ELEMENTS, help="Records on each side; several are possible."),
    ] = None,
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the records that changes.")] = 0.01,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a delta round of a standing agreement, and its ratio to the full round: CPU seconds and bytes of both sides.

    For example:

        blindmatch bench delta --n 100000
        blindmatch bench delta --n 1000 --n 10000 --share 0.05 --out figures
    """
    from blindmatch.simulations.benchmarks.delta import measure_all  # noqa: PLC0415 - slow to import

    _finish(measure_all(_sizes(n, DELTA_SIZES), share, note=note), out, as_json)


@app.command()
def single(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=40, max=MOST_ELEMENTS, help="Records on each side; several are possible."),
    ] = None,
    checks: Annotated[int, typer.Option(min=10, max=4_000, help="Checks each way.")] = 100,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long one check of a single record takes over an open channel, submitted and asked about.

    For example:

        blindmatch bench single
        blindmatch bench single --n 100000 --checks 500
    """
    from blindmatch.simulations.benchmarks import single as workload  # noqa: PLC0415 - slow to import

    costs = [workload.measure(records, checks, note=note) for records in _sizes(n, SINGLE_SIZES)]
    _finish(workload.report(costs), out, as_json)


@app.command("import")
def import_(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=2, max=MOST_ELEMENTS, help="Rows of each file; several are possible."),
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option("--format", help="Only this format; may be given several times.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure rows per CPU second and peak memory of imports: CSV, PSC snapshot and officers bulk, as records and as registers.

    For example:

        blindmatch bench import
        blindmatch bench import --format psc-records --n 1000000
    """
    from blindmatch.simulations.benchmarks.imports import chosen, measure  # noqa: PLC0415 - slow to import

    _finish(measure(_sizes(n, IMPORT_SIZES), chosen(form or ()), note=note), out, as_json)


@app.command()
def peers(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=20, max=10_000_000, help="Records on each side; several are possible."),
    ] = None,
    contender: Annotated[
        list[str] | None, typer.Option("--with", help="Only this contender; may be given several times.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the records that both sides hold.")
    ] = 0.05,
    python_spu: Annotated[
        Path | None, typer.Option(help="A Python that has spu; otherwise the one that --install made.")
    ] = None,
    python_psi: Annotated[Path | None, typer.Option(help="The same for openmined-psi.")] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Install both into environments of their own first.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the same job, two CSV files of identifiers, through blindmatch, spu (SecretFlow) and openmined-psi.

    Files in, files out, both sides on this machine, everything counted from the start of each process to its end. The other
    packages are not part of any installation of this one: --install gets them with pip, into the user's cache folder.

    For example:

        blindmatch bench peers --install
        blindmatch bench peers --n 10000 --n 100000 --out figures
    """
    from blindmatch.simulations.benchmarks import environments  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks import peers as workload  # noqa: PLC0415

    contenders = workload.chosen(contender or ())
    cache = environments.cache_folder()
    given = {"spu": python_spu, "openmined-psi": python_psi}
    if install:
        wanted = [name for name in dict.fromkeys(c.package for c in contenders) if given[name] is None]
        workload.install(wanted, cache, note)
    found = workload.interpreters(contenders, given, cache)
    report = workload.measure(_sizes(n, PEERS_SIZES), contenders, found, overlap=overlap, note=note)
    _finish(report, out, as_json)


@app.command()
def scale(
    *,
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=8, max=MOST_ELEMENTS, help="Elements on each side; several are possible."),
    ] = None,
    workers: Annotated[
        list[int] | None,
        typer.Option(min=1, max=256, help="Local Ray workers; may be given several times."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the heavy steps on local Ray workers (needs blindmatch[cluster]), and reckon what a whole country would take.

    Elements per second without a cluster, with one worker and with two; then a model, from these figures, of 43 forces that each
    compare with 317 councils. The remarks state its formula and what it assumes.

    For example:

        blindmatch bench scale --n 200000
        blindmatch bench scale --n 50000 --n 500000 --workers 1 --workers 2 --workers 4 --out figures
    """
    from blindmatch.node.compute.engine import check_installed  # noqa: PLC0415 - slow to import
    from blindmatch.simulations.benchmarks.scale import measure_all  # noqa: PLC0415

    check_installed()
    _finish(measure_all(_sizes(n, SCALE_SIZES), _sizes(workers, SCALE_WORKERS), note=note), out, as_json)


@app.command()
def check(
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Keep this run's figures as those to compare with.")
    ] = False,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Count instructions too (needs valgrind; some minutes).")
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(help="The history file; otherwise the one of the source tree.", dir_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold this code's speed against what was kept, whatever the machine's speed; fails when something has become dearer.

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
