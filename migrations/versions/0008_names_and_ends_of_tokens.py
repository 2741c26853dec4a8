"""Names of tokens and of people are borne once (the later bearers' get their id or user name added); tokens end, and
tell their last use."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# App.db.columns.Instant, as it was when this was written.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(24), "sqlite")
A_YEAR_ON = {
    "postgresql": "date_trunc('milliseconds', now()) + interval '365 days'",
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+365 days')",
}


def upgrade() -> None:
    _tell_apart("tokens", "id")
    _tell_apart("accounts", "username")
    op.create_index("ux_tokens_name", "tokens", ["name"], unique=True)
    op.create_index("ux_accounts_name", "accounts", ["name"], unique=True)
    op.add_column("tokens", sa.Column("last_used_at", INSTANT))
    op.add_column("tokens", sa.Column("expires_at", INSTANT))
    # From now, not from the day they were made: an old one goes on working, for as long as a new one would.
    op.execute(f"UPDATE tokens SET expires_at = {A_YEAR_ON[op.get_bind().dialect.name]}")  # noqa: S608
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("expires_at", existing_type=INSTANT, nullable=False)


def downgrade() -> None:
    op.drop_index("ux_accounts_name", "accounts")
    op.drop_index("ux_tokens_name", "tokens")
    op.drop_column("tokens", "expires_at")
    op.drop_column("tokens", "last_used_at")


def _tell_apart(table: str, mark: str) -> None:
    """The first bearer keeps the name; each later one's is followed by its `mark`, which is unique."""
    bearers = sa.table(
        table, sa.column("name", sa.String), sa.column(mark, sa.String), sa.column("created_at", INSTANT)
    )
    of_mark, connection = bearers.c[mark], op.get_bind()
    rows = connection.execute(sa.select(bearers.c.name, of_mark).order_by(bearers.c.created_at, of_mark)).all()
    taken = {name for name, _ in rows}
    kept = set()
    for name, unique in rows:
        if name not in kept:
            kept.add(name)
            continue
        told = f"{name} ({unique})"
        while told in taken:
            told += "'"
        taken.add(told)
        connection.execute(bearers.update().where(of_mark == unique).values(name=told))
