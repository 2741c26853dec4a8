"""What became of each row of an import is a row, and an import tells when it last gave a sign of life."""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# App.db.columns.Instant, as it was when this was written.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(24), "sqlite")
ITEM = ("row", "verdict", "code", "field", "message", "infusion_id", "warnings")
NAMES = ("id", "state", "rows", "report", "total", "started_at", "seen_at")
IMPORTS = sa.table("imports", *[sa.column(name, sa.Uuid if name == "id" else None) for name in NAMES])
ITEMS = sa.table(
    "import_items",
    sa.column("import_id", sa.Uuid),
    *[sa.column(n, sa.Uuid if n == "infusion_id" else None) for n in ITEM],
)


def upgrade() -> None:
    op.create_table(
        "import_items",
        sa.Column("import_id", sa.Uuid, sa.ForeignKey("imports.id"), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("code", sa.String),
        sa.Column("field", sa.String),
        sa.Column("message", sa.Text),
        sa.Column("infusion_id", sa.Uuid),
        sa.Column("warnings", sa.Text, nullable=False),
    )
    with op.batch_alter_table("imports") as table:
        table.add_column(sa.Column("total", sa.Integer))
        table.add_column(sa.Column("seen_at", INSTANT))
    kept = op.get_bind().execute(sa.select(IMPORTS.c.id, IMPORTS.c.report)).all()
    for import_id, report in kept:
        items = json.loads(report).get("items", [])
        if items:
            op.get_bind().execute(sa.insert(ITEMS), [_stored(item) | {"import_id": import_id} for item in items])
    op.execute(sa.update(IMPORTS).values(total=IMPORTS.c.rows, seen_at=IMPORTS.c.started_at))
    with op.batch_alter_table("imports") as table:
        table.alter_column("total", existing_type=sa.Integer, nullable=False)
        table.alter_column("seen_at", existing_type=INSTANT, nullable=False)
        table.drop_column("rows")
        table.drop_column("report")


def downgrade() -> None:
    with op.batch_alter_table("imports") as table:
        table.add_column(sa.Column("rows", sa.Integer))
        table.add_column(sa.Column("report", sa.Text))
    for (import_id,) in op.get_bind().execute(sa.select(IMPORTS.c.id)).all():
        of_import = (
            sa.select(*[ITEMS.c[name] for name in ITEM]).where(ITEMS.c.import_id == import_id).order_by(ITEMS.c.row)
        )
        items = [
            dict(item) | {"warnings": item["warnings"].split()} for item in op.get_bind().execute(of_import).mappings()
        ]
        told = json.dumps({"items": items}, default=str)
        op.execute(sa.update(IMPORTS).where(IMPORTS.c.id == import_id).values(rows=len(items), report=told))
    op.execute(sa.update(IMPORTS).where(IMPORTS.c.state == "interrupted").values(state="finished"))
    with op.batch_alter_table("imports") as table:
        table.alter_column("rows", existing_type=sa.Integer, nullable=False)
        table.alter_column("report", existing_type=sa.Text, nullable=False)
        table.drop_column("total")
        table.drop_column("seen_at")
    op.drop_table("import_items")


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    infusion = item["infusion_id"]
    told = {name: item.get(name) for name in ITEM}
    return told | {"infusion_id": infusion and UUID(infusion), "warnings": " ".join(item.get("warnings", []))}
