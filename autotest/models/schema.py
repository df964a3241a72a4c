"""The schema's age: which migrations were applied, apply and take back, and whether the tables match the models."""

from __future__ import annotations

from pathlib import Path

from playhouse import migrations, schema_diff

from autotest import errors
from autotest.models import afe, lab, suite, tko
from autotest.models.database import db

MODELS = (*lab.TABLES, *afe.TABLES, *suite.TABLES, *tko.TABLES)
_FOLDER = Path(__file__).parent / "migrations"


def migrate() -> list[str]:
    """Apply what is pending, in order. Returns the names of what was applied."""
    return _runner().up()


def take_back(target: str) -> list[str]:
    """Undo every applied migration back through *target*; ``zero`` undoes all. Returns the names."""
    runner = _runner()
    if target != "zero" and target not in {row.name for row in runner.migrations()}:
        known = ", ".join(row.name for row in runner.migrations())
        raise errors.NotFound(f"no migration is called {target!r}; known: {known}, zero")
    if target == "zero":
        applied = [row.name for row in runner.status() if row.applied]
        return runner.down(applied[0]) if applied else []
    return runner.down(target)


def status() -> list[dict[str, str | None]]:
    """One row a migration: name, applied (ISO time or None)."""
    return [
        {"name": row.name, "applied": row.applied.isoformat() if row.applied else None} for row in _runner().status()
    ]


def differences() -> list[str]:
    """What the database has otherwise than the models, one line each; the lease indexes are migrations' own."""
    diff = schema_diff.diff_models(db.obj, list(MODELS))
    return [
        *(f"table {model._meta.table_name} is missing" for model in diff.create_tables),
        *(f"column {field.model._meta.table_name}.{field.column_name} is missing" for field in diff.add_columns),
        *(
            f"column {table}.{column} is not in the models"
            for table, column in diff.drop_columns
            if not (table == "leases" and column.startswith("open_"))
        ),
        *(f"index on {index.table} ({', '.join(index.columns or ())}) is missing" for index in diff.add_indexes),
    ]


def require_current() -> None:
    """Raise ConfigError unless every migration is applied."""
    pending = [row["name"] for row in status() if row["applied"] is None]
    if pending:
        raise errors.ConfigError(f"the database lacks {', '.join(map(str, pending))}; run: autotest db migrate")


def _runner() -> migrations.Runner:
    return migrations.Runner(db.obj, directory=str(_FOLDER))
