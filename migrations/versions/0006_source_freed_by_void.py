"""A voided infusion gives the sender's own id free: unique among infusions that are not voided."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OLD = "uq_infusions_source_system_source_id"
KEY = ["source_system", "source_id"]
NAMES = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}  # SQLite knows the constraint without a name


def upgrade() -> None:
    with op.batch_alter_table("infusions", naming_convention=NAMES) as infusions:
        infusions.drop_constraint(OLD, type_="unique")
    valid = sa.text("NOT voided")
    op.create_index("ux_infusions_source", "infusions", KEY, unique=True, sqlite_where=valid, postgresql_where=valid)


def downgrade() -> None:
    op.drop_index("ux_infusions_source", "infusions")
    # A key stands once again: the infusion that counts keeps it, of several voided ones the last.
    op.execute(
        "UPDATE infusions SET source_system = NULL, source_id = NULL WHERE voided AND EXISTS (SELECT 1 FROM infusions "
        "AS other WHERE"
        " other.source_system = infusions.source_system AND other.source_id = infusions.source_id AND (NOT "
        "other.voided OR other.id > infusions.id))"
    )
    with op.batch_alter_table("infusions", naming_convention=NAMES) as infusions:
        infusions.create_unique_constraint(OLD, KEY)
