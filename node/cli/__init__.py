"""The `blindmatch` program: nouns first, then verbs.

Each noun is a Typer app in its own module, which is imported on first use: `--help` stays quick, and a noun that cannot
be loaded does not affect the others. A command reads arguments, calls one operation of `blindmatch.node.operations`, and
prints its result as text or JSON. `simulate` and `bench` belong to the simulations, which the node must not import;
their entries are names that are resolved at run time.

Exit status: 0 success, 1 failure, 2 usage error. Results go to stdout, everything else to stderr.
"""

import importlib
from typing import Annotated, Any, Literal, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from blindmatch.node.cli.hints import forget_home
from blindmatch.node.cli.output import debugging, report, report_unexpected
from blindmatch.node.cli.startup import no_core_files, settle
from blindmatch.node.storage import gc_pause
from blindmatch.protocol.errors import BlindmatchError


class Noun(NamedTuple):
    """A noun's line in the help, and the place of its Typer app."""

    help: str
    module: str
    attribute: str = "app"


SIMULATIONS = "blindmatch.simulations.cli"
NOUNS = {
    name: Noun(text, f"blindmatch.node.cli.{name}")
    for name, text in {
        "node": "This agency's node: create it, serve it, show its status.",
        "pki": "Certificates: a pilot authority, requests, revocation.",
        "collection": "Import, list and delete collections of records.",
        "agreement": "Draft, show, sign, decline and verify agreements.",
        "round": "Run a round of an agreement, and read its results.",
        "check": "Compare one record now, under a standing agreement.",
        "audit": "The audit log: list, verify, export.",
        "keys": "The node's keys: list them, change their passphrase, end epochs.",
        "linkage": "The quality of a linkage schema, and why two records match.",
    }.items()
} | {
    "simulate": Noun("Run a scenario with many nodes on this machine.", SIMULATIONS, "simulate_app"),
    "bench": Noun(
        "Measure this machine: the curve, a round, imports, other packages.", SIMULATIONS, "bench_app"
    ),
}


HELP_MARKUP: Literal["markdown"] = "markdown"
"""Paragraphs of help texts are wrapped; indented blocks are examples and are not."""


class NounGroup(TyperGroup):
    """A group that imports its members on first use, and prints exceptions as lines for the operator."""

    def list_commands(self, _ctx: typer.Context) -> list[str]:  # type: ignore[override]  # Typer's own Context
        return list(NOUNS)

    def get_command(self, _ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        noun = NOUNS.get(cmd_name)
        # Enough for the list of commands; `resolve_command` loads the command itself.
        return None if noun is None else TyperCommand(name=cmd_name, help=noun.help)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        name, command, rest = super().resolve_command(ctx, args)
        return name, (load(name) if name in NOUNS else command), rest

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except BlindmatchError as error:
            if debugging():
                raise
            report(error)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:
            if debugging():
                raise
            report_unexpected(error)
        raise typer.Exit(1)


def load(name: str) -> Any:
    """Import the command or group of one noun.

    Raises:
        BlindmatchError: a library that it needs is not installed.
    """
    noun = NOUNS[name]
    try:
        with gc_pause.pause():
            module = importlib.import_module(noun.module)
    except ModuleNotFoundError as error:
        if debugging():
            raise
        raise BlindmatchError(
            f"`blindmatch {name}` needs {error.name}, which is not installed",
            hint="Install blindmatch with its extras; see the README.",
        ) from None
    instance: typer.Typer = getattr(module, noun.attribute)
    instance.rich_markup_mode = HELP_MARKUP
    instance.info.help = instance.info.help or noun.help
    group = typer.main.get_group(instance)
    commands = list(group.commands.values())
    # `simulate` and `check` are verbs: their only command takes the arguments directly.
    command = commands[0] if name in {"simulate", "check"} and len(commands) == 1 else group
    command.name = name
    return command


app = typer.Typer(
    name="blindmatch",
    cls=NounGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=HELP_MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Print the version and exit, if wanted."""
    if wanted:
        version = importlib.import_module("importlib.metadata").version("blindmatch")
        typer.echo(f"blindmatch {version}")
        raise typer.Exit


@app.callback()
def root(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="BLINDMATCH_DEBUG", help="Show the traceback of an error.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Find the people and companies that appear in two agencies' files, without either agency disclosing its file.

    From a new node to its first round:

        blindmatch node init --home west --agency west-force --name "West Force" --role police
        blindmatch pki request --home west --out west.csr
        blindmatch pki install --home west --certificate west.pem --authority authority.pem
        blindmatch collection import --help
        blindmatch agreement draft --help
        blindmatch round run --help

    Every command has --help. Results go to stdout (add --json for programs), progress and errors go to stderr. The exit
    status is 0 for success, 1 for failure, 2 for a usage error.
    """
    debugging(debug)
    forget_home()


def main() -> None:
    """Entry point of the `blindmatch` program."""
    no_core_files()
    settle()
    app(prog_name="blindmatch")
