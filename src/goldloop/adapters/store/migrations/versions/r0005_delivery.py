"""Who saved an annotation last, and whether it was marked as ground truth."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("annotations", "annotation_history"):
        op.add_column(name, sa.Column("edited_by", sa.Text))
        op.add_column(name, sa.Column("ground_truth", sa.Boolean, nullable=False, server_default=sa.false()))
