"""The `follow-up` command: parses, opens a transaction, calls, prints.

Exit codes: 0 done, 1 refused or failed (one line says why), 2 wrong usage, 3 done with rejected rows.
"""

import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from app.cli import access, backups, catalogue, checks, processes, work
from app.errors import FollowUpError

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Long-term follow-up after gene and cell therapy: "
    "an infusion in, fifteen years of visits out, overdue ones flagged.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"follow-up {version('follow-up')}")
        raise typer.Exit


@commands.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Name and version.")] = False,
) -> None:
    """Options before any command."""


for room in (processes, work, backups, checks):
    commands.add_typer(room.commands)
for group in (work.alerts, work.feed, catalogue.protocol, catalogue.catalogue, access.keys, access.token, access.user):
    commands.add_typer(group)


def main() -> None:
    """The console script. Whatever goes wrong is one line on standard error, without a value of a person."""
    try:
        commands()
    except FollowUpError as refused:
        _fail(
            " ".join(
                [
                    refused.detail,
                    *(f"{e.field}: {e.message}" for e in refused.errors if e.message not in refused.detail),
                ]
            )
        )
    except OSError as fault:
        _fail(f"{fault.strerror or type(fault).__name__}{f': {fault.filename}' if fault.filename else ''}")
    except Exception as fault:  # noqa: BLE001 - the last resort tells type and place: a message may hold anything
        from pydantic import ValidationError

        from app.http.log import places

        if isinstance(fault, ValidationError) and fault.title == "Settings":
            wrong = [
                f"FOLLOW_UP_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
                for e in fault.errors(include_input=False)
            ]
            _fail(f"The settings cannot be used. {'; '.join(wrong)}.")
        _fail(f"Unexpected: {'; '.join(places(fault))}")


def _fail(why: str) -> NoReturn:
    typer.echo(f"follow-up: {' '.join(why.split())}", err=True)
    sys.exit(1)
