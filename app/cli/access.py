"""Commands about what opens the service: keys and tokens."""

from pathlib import Path
from typing import Annotated

import typer

from app.actor import SCOPES, Role
from app.cli import desk
from app.cli.desk import Desk, Json, Refused, Today

keys = typer.Typer(name="keys", no_args_is_help=True, help="The keys that seal persons.")
token = typer.Typer(name="token", no_args_is_help=True, help="API tokens.")


@keys.command(epilog="Example: follow-up keys new /etc/follow-up/follow-up.keys")
def new(file: Annotated[Path, typer.Argument(dir_okay=False)], today: Today = None) -> None:
    """Makes two new keys, in a file that only its owner reads. An existing file is left alone."""
    from app.db.columns import Keys

    Keys.make(file)
    desk.words(f"Made {file}; set FOLLOW_UP_KEY_FILE={file}. Keep a copy elsewhere: no backup contains it, and without it no person is read again.")


@token.command(epilog="Example: follow-up token add --name cosmic-lund --role integration --centre lund --scope infusions:write")
def add(
    name: Annotated[str, typer.Option(help="What the history calls its bearer; nobody's number.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    centre: Annotated[list[str], typer.Option(metavar="CODE", help="A centre, several times, or all.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"For integrations, several times: {', '.join(sorted(SCOPES))}.")] = None,
    today: Today = None,
) -> None:
    """Makes an API token and prints it, alone and once: it cannot be read again."""
    from app.access import tokens
    from app.db import transaction

    centres = None if "all" in centre else frozenset(centre)
    wanted = tokens.NewToken(name, role, centres, frozenset(scope or ()))

    async def added(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await tokens.add(tx, wanted)
        typer.echo(made)
        return 0

    desk.run(added, today)


@token.command(epilog="Example: follow-up token revoke 0f3a5c7e9b1d2468")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` tells it, or the token itself.")],
    today: Today = None,
) -> None:
    """Takes a token back."""
    from app.access import tokens
    from app.db import transaction

    plain = token_id.removeprefix("fu_").partition("_")[0]

    async def revoked(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            if not await tokens.revoke(tx, plain):
                raise Refused("There is no such token, or it was revoked before; see: follow-up token list.")
        desk.words(f"The token {plain} is revoked.")
        return 0

    desk.run(revoked, today)


@token.command("list", epilog="Example: follow-up token list --json")
def list_tokens(today: Today = None, as_json: Json = False) -> None:
    """Every token with its role, centres and scopes; never its secret."""
    from app.access import tokens
    from app.db import transaction

    async def listed(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            found = await tokens.every(tx)
        rows = [(t["id"], t["name"], t["role"], t["centres"], t["scopes"], "revoked" if t["revoked_at"] else "valid") for t in found]
        desk.tell(found, desk.columns(rows), as_json)
        return 0

    desk.run(listed, today)
