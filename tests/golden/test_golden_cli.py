"""The command line keeps its names: every noun, verb, argument and option, with its values, default and environment variable."""

from enum import Enum
from pathlib import PurePath

import pytest
from typer.main import get_command

from blindmatch.node.cli import NOUNS, app, load


def value_of(annotation):
    """What a value may be: the words of a choice, or the name of its type."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(each.value for each in annotation)
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def default_of(parameter):
    match parameter.default:
        case Enum() as choice:
            return f" = {choice.value}"
        case PurePath() | bool() | int() | float() as plain if plain is not False:
            return f" = {plain}"
        case str() as text if text:
            return f" = {text}"
        case _:
            return ""


def parameter_of(parameter):
    kind = parameter.type_descriptor.annotation
    value = "" if getattr(parameter, "is_flag", False) else f" {value_of(kind)}"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if not names.startswith("-"):
        names = parameter.metavar or names.upper()
    parts = [f"{names}{value}{default_of(parameter)}"]
    parts += ["required"] * parameter.required + ["repeated"] * bool(
        getattr(parameter, "multiple", False) or parameter.nargs == -1
    )
    if parameter.min is not None or parameter.max is not None:
        parts.append(f"{parameter.min} to {parameter.max}".replace("None", "any"))
    if parameter.envvar:
        parts.append(parameter.envvar)
    return "; ".join(parts)


def verbs(here, words):
    """Every command below this one, with its parameters."""
    below = getattr(here, "commands", None)
    if not below:
        yield " ".join(words), [parameter_of(each) for each in here.params]
        return
    for name, command in below.items():
        yield from verbs(command, (*words, name))


@pytest.mark.parametrize("noun", NOUNS)
def test_a_nouns_verbs_and_options(golden, noun):
    golden(noun, dict(sorted(verbs(load(noun), (noun,)))))


def test_the_program_itself(golden):
    golden("blindmatch", {
        "nouns": list(NOUNS),
        "options": [parameter_of(each) for each in get_command(app).params],
    })  # fmt: skip
