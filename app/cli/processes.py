"""Commands that go on until they are stopped: serve, worker, demo."""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from app.cli import desk
from app.cli.desk import CommandContext, NotMigrated, Today
from app.clock import Clock
from app.errors import Unavailable

commands = typer.Typer()

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for a free one; FOLLOW_UP_PORT.")
]


@commands.command(epilog="Example: FOLLOW_UP_KEY_FILE=follow-up.keys follow-up serve --port 8001")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; FOLLOW_UP_HOST.")] = None,
    port: Port = None,
    today: Today = None,
) -> None:
    """Serves the API until SIGTERM. Without any setting it listens on loopback only; the worker is a process of its
    own."""
    from app.db.engine import Database
    from app.http import log, server
    from app.main import AppContext, create_app
    from app.settings import DEMO_TOKENS

    settings = desk.read_settings()
    log.configure(settings.log_level)
    keys = desk.read_keys(settings)
    bound = server.bind(host or settings.host, settings.port if port is None else port)

    async def served() -> int:
        db = Database(settings.database_url, keys)
        try:
            try:
                clock = await desk.clock_of(db, today)
            except (Unavailable, NotMigrated):  # it may come later; until then /readyz tells
                clock = Clock(fixed=today)
            app = create_app(AppContext(db, clock, settings))
            if settings.demo_tokens:
                desk.words(f"Warning: FOLLOW_UP_DEMO_TOKENS is set. {DEMO_TOKENS}")
            await server.serve(app, bound, ready=lambda: desk.words(f"Listening on {server.address(bound)}"))
        finally:
            await db.close()
        return 0

    raise typer.Exit(server.run(served()))


@commands.command(epilog="Example: follow-up worker")
def worker(today: Today = None) -> None:
    """Sweeps for overdue visits, at its start and every FOLLOW_UP_SWEEP_MINUTES, until SIGTERM."""
    from app import worker as room

    async def worked(at: CommandContext) -> int:
        return await room.run(at.db, at.clock, timedelta(minutes=at.settings.sweep_minutes))

    desk.run(worked, today, level=desk.read_settings().log_level)


@commands.command(epilog="Example: follow-up demo --port 8001 --today 2026-11-23 --data /tmp/demo")
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on, 0 for a free one.")] = 8000,
    today: Annotated[
        date | None, typer.Option(metavar="DATE", parser=desk.a_day, help="The demo's day; days go on from it.")
    ] = None,
    data: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Where its database and keys are.")] = Path(
        "data"
    ),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew: empties DIR/follow-up.db, and nothing else.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Without infusions: centres, products and tokens only.")
    ] = False,
) -> None:
    """Serves a demo on this machine: the sample with a history, fixed tokens, service and worker in one process."""
    from app import demo as room
    from app.http import log, server

    settings = desk.read_settings()
    log.configure(settings.log_level if "log_level" in settings.model_fields_set else "warning")
    raise typer.Exit(server.run(room.run(settings, room.Wanted(host, port, data, today, fresh, empty))))
