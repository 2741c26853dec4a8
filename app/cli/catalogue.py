"""Commands about what the service knows: protocols, centres, products."""

from pathlib import Path

import typer

from app.cli import desk
from app.cli.desk import CommandContext, Json, ReadableFile, Refused, Today

protocol = typer.Typer(
    name="protocol", no_args_is_help=True, help="Schedules: which there are, and whether a file is one."
)
catalogue = typer.Typer(name="catalogue", no_args_is_help=True, help="Centres and products.")


@protocol.command("list", epilog="Example: follow-up protocol list --json")
def list_protocols(today: Today = None, as_json: Json = False) -> None:
    """The newest version of every protocol in the database."""
    from app.db import transaction
    from app.followup import catalogue as room

    async def listed(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            found = (await room.newest_protocols(tx))["items"]
        rows = [
            (
                p["code"],
                p["version"],
                p["purpose"],
                f"{len(p['rules'])} visits",
                "verified" if p["verified"] else "not verified",
            )
            for p in found
        ]
        desk.tell(found, desk.columns(rows), as_json)
        return 0

    desk.run(listed, today)


@protocol.command(epilog="Example: follow-up protocol check my-protocol.toml")
def check(file: ReadableFile, today: Today = None, as_json: Json = False) -> None:
    """Whether a TOML file is a protocol: tells its visits, or every fault with rule and field."""
    from app.planning import protocol as room

    try:
        found = room.parse(_text(file))
    except room.ProtocolInvalid as refused:
        if as_json:
            errors = [{"field": e.field, "code": e.code, "message": e.message} for e in refused.errors]
            desk.tell({"valid": False, "errors": errors}, [], as_json)
        raise
    rows = []
    for rule in found.rules:
        unit, number = next(
            (unit, n) for unit in ("days", "weeks", "months", "years") if (n := getattr(rule.offset, unit)) is not None
        )
        window = f"-{rule.before}/+{rule.after} days"
        rows.append((rule.code, f"{rule.anchor} + {number} {unit}", window, ", ".join(rule.modes), rule.label["en"]))
    facts = {"valid": True, "code": found.code, "version": found.version, "visits": [rule.code for rule in found.rules]}
    desk.tell(facts, [f"{found.code} version {found.version}: {found.title}", *desk.columns(rows)], as_json)


@catalogue.command(epilog="Example: follow-up catalogue load products.csv")
def load(file: ReadableFile, today: Today = None, as_json: Json = False) -> None:
    """Adds the centres or products of a CSV file that are missing; what is there stays."""
    from app.db import transaction
    from app.followup import catalogue as room

    text = _text(file)

    async def loaded(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            facts = await room.load(tx, text)
        desk.tell(facts, [f"{facts['added']} of {facts['rows']} {facts['kind']} added."], as_json)
        return 0

    desk.run(loaded, today)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8.") from None
