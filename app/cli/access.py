"""Commands about what opens the service: keys, tokens, accounts."""

from pathlib import Path
from typing import Annotated

import typer

from app.actor import SCOPES, Role
from app.cli import desk
from app.cli.desk import Desk, Json, Refused, Today

keys = typer.Typer(name="keys", no_args_is_help=True, help="The keys that seal persons.")
token = typer.Typer(name="token", no_args_is_help=True, help="API tokens.")
user = typer.Typer(name="user", no_args_is_help=True, help="Accounts of people at the pages.")


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


@user.command("add", epilog="Example: follow-up user add karin.n --name 'Karin N' --role nurse --centre lund")
def add_user(
    username: Annotated[str, typer.Argument(help="Small letters, figures, dots; nobody's number.")],
    name: Annotated[str, typer.Option(help="What colleagues see.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    centre: Annotated[list[str], typer.Option(metavar="CODE", help="A centre, several times, or all.")],
    today: Today = None,
) -> None:
    """Makes an account and prints its first password, alone and once: it cannot be read again."""
    from app.access import accounts
    from app.db import transaction

    wanted = accounts.NewAccount(username, name, role, None if "all" in centre else frozenset(centre))

    async def added(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await accounts.add(tx, wanted)
        typer.echo(made)
        return 0

    desk.run(added, today)


@user.command("disable", epilog="Example: follow-up user disable karin.n")
def disable_user(username: Annotated[str, typer.Argument(help="As `user list` tells it.")], today: Today = None) -> None:
    """Closes an account and ends its sessions at once."""
    from app.access import accounts
    from app.db import transaction

    async def disabled(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            if not await accounts.disable(tx, username):
                raise Refused("There is no such account, or it was closed before; see: follow-up user list.")
        desk.words(f"The account {username} is closed.")
        return 0

    desk.run(disabled, today)


@user.command("list", epilog="Example: follow-up user list --json")
def list_users(today: Today = None, as_json: Json = False) -> None:
    """Every account with its role and centres; never its password."""
    from app.access import accounts
    from app.db import transaction

    async def listed(at: Desk) -> int:
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            found = await accounts.every(tx)
        rows = [(a["username"], a["name"], a["role"], a["centres"], "closed" if a["disabled_at"] else "open") for a in found]
        desk.tell(found, desk.columns(rows), as_json)
        return 0

    desk.run(listed, today)
