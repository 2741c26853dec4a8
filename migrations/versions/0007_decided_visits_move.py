"""Decided visits move with their plan's dates, may have no window any more, and keep what was confirmed of them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# App.db.columns.Instant, as it was when this was written.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(24), "sqlite")
STOCKHOLM = ZoneInfo("Europe/Stockholm")
WINDOW = ("target_on", "window_start", "window_end")
EARLY = "coalesce(completed_on, decided_on) < window_start"
BATCH = 10_000

visits = sa.table(
    "visits",
    sa.column("id", sa.Uuid),
    *[sa.column(name, sa.Date) for name in (*WINDOW, "completed_on", "decided_on", "confirmed_for")],
    sa.column("decided_at", INSTANT),
)


def upgrade() -> None:
    with op.batch_alter_table("visits") as table:
        for name in WINDOW:
            table.alter_column(name, existing_type=sa.Date, nullable=True)
        table.add_column(sa.Column("decided_on", sa.Date))
        table.add_column(sa.Column("confirmed_for", sa.Date))
    _tell_the_days()
    # What was closed before its window so far was confirmed: nothing else was taken.
    op.execute(
        visits.update().where(visits.c.completed_on < visits.c.window_start).values(confirmed_for=visits.c.window_start)
    )
    where = sa.text(EARLY)
    op.create_index(
        "ix_visits_closed_early", "visits", ["centre", "window_end", "id"], sqlite_where=where, postgresql_where=where
    )


def _tell_the_days() -> None:
    """The local day of each decision: SQLite knows no time zones."""
    connection = op.get_bind()
    decided = connection.execute(
        sa.select(visits.c.id, visits.c.decided_at).where(visits.c.decided_at.is_not(None))
    ).all()
    change = visits.update().where(visits.c.id == sa.bindparam("b_id")).values(decided_on=sa.bindparam("day"))
    for start in range(0, len(decided), BATCH):
        connection.execute(
            change, [{"b_id": row.id, "day": _local_day(row.decided_at)} for row in decided[start : start + BATCH]]
        )


def _local_day(instant: datetime | str) -> date:
    return (datetime.fromisoformat(instant) if isinstance(instant, str) else instant).astimezone(STOCKHOLM).date()


def downgrade() -> None:
    op.drop_index("ix_visits_closed_early", "visits")
    # The older schema knows no visit without a window: it gets the day on which it was closed.
    day = sa.func.coalesce(visits.c.completed_on, visits.c.decided_on, sa.literal(date(1900, 1, 1), sa.Date))
    op.execute(visits.update().where(visits.c.window_end.is_(None)).values(dict.fromkeys(WINDOW, day)))
    with op.batch_alter_table("visits") as table:
        table.drop_column("confirmed_for")
        table.drop_column("decided_on")
        for name in WINDOW:
            table.alter_column(name, existing_type=sa.Date, nullable=False)
