"""The last jump of the sweeps' day: a clock that was wrong is told until somebody has looked."""

import sqlalchemy as sa
from alembic import op

from app.db.columns import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = {"jumped_from": sa.Date(), "jumped_to": sa.Date(), "jumped_at": Instant()}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("service_state", sa.Column(name, kind))


def downgrade() -> None:
    with op.batch_alter_table("service_state") as state:
        for name in COLUMNS:
            state.drop_column(name)
