"""The reads of one patient are found by an index beside the log instead of by looking through all of it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FILL = {
    "postgresql": "SELECT DISTINCT CAST(patient AS uuid), id FROM access_log, "
    "unnest(string_to_array(patients, ' ')) AS patient WHERE patient <> ''",
    "sqlite": """SELECT DISTINCT replace(value, '-', ''), access_log.id
        FROM access_log, json_each('["' || replace(patients, ' ', '","') || '"]') WHERE value <> ''""",
}


def upgrade() -> None:
    op.create_table(
        "access_log_patients",
        sa.Column("patient_id", sa.Uuid, primary_key=True),
        sa.Column("log_id", sa.Uuid, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO access_log_patients (patient_id, log_id) {FILL[op.get_bind().dialect.name]}")


def downgrade() -> None:
    op.drop_table("access_log_patients")
