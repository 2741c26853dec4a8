"""What products are called in Swedish and English, and how many days a course of theirs takes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PRODUCTS = sa.table(
    "products",
    *[
        sa.column(name)
        for name in ("code", "inn", "brand", "name_sv", "name_en", "infusions_per_course", "course_days")
    ],
)

# Products without a brand, that stood under the brand "(academic product; one per trial)" and the like.
NAMES = {
    "academic-cart": ("Akademisk CAR T (en per studie)", "Academic CAR T (one per trial)"),
    "tcr-t": ("TCR-modifierade T-celler (en per studie)", "TCR-modified T cells (one per trial)"),
    "keratinocytes-autologous": (
        "Egna keratinocyter (sjukhusundantag)",
        "Autologous keratinocytes (hospital exemption)",
    ),
    "virus-specific-t-cells": (
        "Virusspecifika T-celler (sjukhusundantag)",
        "Virus-specific T cells (hospital exemption)",
    ),
}
BRANDS = {
    "academic-cart": "(academic product; one per trial)",
    "tcr-t": "(TCR-modified T cells; one per trial)",
    "keratinocytes-autologous": "(hospital exemption)",
    "virus-specific-t-cells": "(hospital exemption)",
}
SPLIT_DOSE, SECOND_EYE = 21, 90  # plain days; until now 21 for every product with more than one infusion a course


def upgrade() -> None:
    with op.batch_alter_table("products") as table:
        table.add_column(sa.Column("name_sv", sa.String))
        table.add_column(sa.Column("name_en", sa.String))
        table.add_column(sa.Column("course_days", sa.Integer))
    p = PRODUCTS.c
    called = sa.func.coalesce(p.brand, p.inn, p.code)
    op.execute(sa.update(PRODUCTS).values(name_sv=called, name_en=called))
    op.execute(sa.update(PRODUCTS).where(p.infusions_per_course > 1).values(course_days=SPLIT_DOSE))
    op.execute(sa.update(PRODUCTS).where(p.code == "voretigene-neparvovec").values(course_days=SECOND_EYE))
    for code, (swedish, english) in NAMES.items():
        op.execute(sa.update(PRODUCTS).where(p.code == code).values(name_sv=swedish, name_en=english))
        op.execute(sa.update(PRODUCTS).where(p.code == code, p.brand == BRANDS[code]).values(brand=None))
    with op.batch_alter_table("products") as table:
        table.alter_column("name_sv", existing_type=sa.String, nullable=False)
        table.alter_column("name_en", existing_type=sa.String, nullable=False)


def downgrade() -> None:
    for code, brand in BRANDS.items():
        op.execute(sa.update(PRODUCTS).where(PRODUCTS.c.code == code, PRODUCTS.c.brand.is_(None)).values(brand=brand))
    with op.batch_alter_table("products") as table:
        table.drop_column("name_sv")
        table.drop_column("name_en")
        table.drop_column("course_days")
