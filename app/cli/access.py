"""Commands about what opens the service: keys, tokens, accounts."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from app.actor import SCOPES, Role
from app.cli import desk
from app.cli.desk import CommandContext, Json, Refused, Today
from app.clock import ZONE

keys = typer.Typer(name="keys", no_args_is_help=True, help="The keys that seal persons.")
token = typer.Typer(name="token", no_args_is_help=True, help="API tokens.")
TokenId = Annotated[str, typer.Argument(metavar="ID", help="As `token list` tells it, or the token itself.")]
Expires = Annotated[
    date | None,
    typer.Option(metavar="DATE", parser=desk.a_day, help="The last day on which it opens the service; else a year on."),
]
Username = Annotated[str, typer.Argument(help="As `user list` tells it.")]
user = typer.Typer(name="user", no_args_is_help=True, help="Accounts of people at the pages.")


@keys.command(epilog="Example: follow-up keys new /etc/follow-up/follow-up.keys")
def new(file: Annotated[Path, typer.Argument(dir_okay=False)], today: Today = None) -> None:
    """Makes two new keys, in a file that only its owner reads. An existing file is left alone."""
    from app.db.columns import Keys

    Keys.make(file)
    desk.words(
        f"Made {file}; set FOLLOW_UP_KEY_FILE={file}. Keep a copy elsewhere: no backup contains it, and without it no "
        "person is read again."
    )


@token.command(
    epilog="Example: follow-up token add --name ehr-lund --role integration --centre lund --scope infusions:write"
)
def add(
    name: Annotated[
        str, typer.Option(help="What the logs call its bearer: a name that nobody else bears, and nobody's number.")
    ],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    centre: Annotated[list[str], typer.Option(metavar="CODE", help="A centre, several times, or all.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"For integrations, several times: {', '.join(sorted(SCOPES))}.")
    ] = None,
    expires: Expires = None,
    today: Today = None,
) -> None:
    """Makes an API token and prints it, alone and once: it cannot be read again."""
    from app.access import tokens
    from app.db import transaction

    centres = None if "all" in centre else frozenset(centre)
    wanted = tokens.NewToken(name, role, centres, frozenset(scope or ()), expires)

    async def added(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await tokens.add(tx, wanted)
        typer.echo(made)
        return 0

    desk.run(added, today)


@token.command(epilog="Example: follow-up token renew 0f3a5c7e9b1d2468 --expires 2027-12-31")
def renew(token_id: TokenId, expires: Expires = None, today: Today = None) -> None:
    """Gives a token another secret and a later end, under the same id and name, and prints it, alone and once; the old
    secret opens nothing more."""
    from app.access import tokens
    from app.db import transaction

    async def renewed(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await tokens.renew(tx, _plain(token_id), expires)
        typer.echo(made)
        return 0

    desk.run(renewed, today)


@token.command(epilog="Example: follow-up token revoke 0f3a5c7e9b1d2468")
def revoke(token_id: TokenId, today: Today = None) -> None:
    """Takes a token back."""
    from app.access import tokens
    from app.db import transaction

    plain = _plain(token_id)

    async def revoked(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            if not await tokens.revoke(tx, plain):
                raise Refused("There is no such token, or it was revoked before; see: follow-up token list.")
        desk.words(f"The token {plain} is revoked.")
        return 0

    desk.run(revoked, today)


@token.command("list", epilog="Example: follow-up token list --json")
def list_tokens(today: Today = None, as_json: Json = False) -> None:
    """Every token with its role, centres and scopes, the end of its life and its last use; never its secret."""
    from app.access import tokens
    from app.db import transaction

    async def listed(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            found = await tokens.every(tx)
            now = tx.now
        rows = [(t["id"], t["name"], t["role"], t["centres"], t["scopes"], *_life(t, now)) for t in found]
        desk.tell(found, desk.columns(rows), as_json)
        return 0

    desk.run(listed, today)


def _plain(token_id: str) -> str:
    """The id, of an id or of the token itself."""
    return token_id.removeprefix("fu_").partition("_")[0]


def _life(found: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    """How a token stands, and when it was last used; local days and time."""
    ends, used = found["expires_at"], found["last_used_at"]
    last_day = (ends - timedelta(seconds=1)).astimezone(ZONE).date()
    state = "revoked" if found["revoked_at"] else f"{'expired on' if ends <= now else 'valid to'} {last_day}"
    return state, f"used {used.astimezone(ZONE):%Y-%m-%d %H:%M}" if used else "never used"


@user.command("add", epilog="Example: follow-up user add karin.n --name 'Karin N' --role nurse --centre lund")
def add_user(
    username: Annotated[str, typer.Argument(help="Small letters, digits, dots; nobody's number.")],
    name: Annotated[str, typer.Option(help="What colleagues see.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    centre: Annotated[list[str], typer.Option(metavar="CODE", help="A centre, several times, or all.")],
    today: Today = None,
) -> None:
    """Makes an account and prints its first password, alone and once: it cannot be read again."""
    from app.access import accounts
    from app.db import transaction

    wanted = accounts.NewAccount(username, name, role, None if "all" in centre else frozenset(centre))

    async def added(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await accounts.add(tx, wanted)
        typer.echo(made)
        return 0

    desk.run(added, today)


@user.command("change", epilog="Example: follow-up user change karin.n --role coordinator --centre lund --centre umea")
def change_user(
    username: Username,
    name: Annotated[str | None, typer.Option(help="What colleagues see.")] = None,
    role: Annotated[Role | None, typer.Option(help="What it may do from now on.")] = None,
    centre: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Its centres from now on, several times, or all.")
    ] = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Makes a password, prints it once, and ends the account's sessions.")
    ] = False,
    today: Today = None,
) -> None:
    """Changes an account's name, role, centres or password; what is not given stays. Role and centres hold from the
    next click."""
    from app.access import accounts
    from app.db import transaction

    wanted = accounts.AccountChange(name, role, frozenset(centre or ()), new_password)

    async def changed(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            made = await accounts.change(tx, username, wanted)
        if made is None:
            desk.words(f"The account {username} is changed.")
        else:
            typer.echo(made)
        return 0

    desk.run(changed, today)


@user.command("disable", epilog="Example: follow-up user disable karin.n")
def disable_user(username: Username, today: Today = None) -> None:
    """Closes an account and ends its sessions at once."""
    from app.access import accounts
    from app.db import transaction

    async def disabled(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            await accounts.disable(tx, username)
        desk.words(f"The account {username} is closed.")
        return 0

    desk.run(disabled, today)


@user.command("list", epilog="Example: follow-up user list --json")
def list_users(today: Today = None, as_json: Json = False) -> None:
    """Every account with its id, role and centres; never its password."""
    from app.access import accounts
    from app.db import transaction

    async def listed(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            found = await accounts.every(tx)
        rows = [
            (a["id"], a["username"], a["name"], a["role"], a["centres"], "closed" if a["disabled_at"] else "open")
            for a in found
        ]
        desk.tell(found, desk.columns(rows), as_json)
        return 0

    desk.run(listed, today)
