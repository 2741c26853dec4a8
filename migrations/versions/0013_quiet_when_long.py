"""The day until which a patient is quiet is told only where the silence can become long before it: the others stand in
no index."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Fourteen calendar months after the patient was last heard of; a month without such a day ends on its last, which
# SQLite has to be told.
LONG = {
    "postgresql": "CAST(last_heard_on + interval '14 months' AS date) + 1",
    "sqlite": "date(min(date(last_heard_on, '+14 months'), "
    "date(last_heard_on, 'start of month', '+15 months', '-1 day')), '+1 day')",
}


def upgrade() -> None:
    long = LONG[op.get_bind().dialect.name]
    op.execute(f"UPDATE patients SET quiet_until = NULL WHERE quiet_until <= {long}")  # noqa: S608


def downgrade() -> None:
    """Nothing: what is null is never asked for, whichever version reads it, and the next change of the patient tells it
    again."""
