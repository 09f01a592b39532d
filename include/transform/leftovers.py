"""Tables and views that dbt built of models which are gone. They keep their rows."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from psycopg import sql

from include.transform.history import connection
from include.transform.project import FOLDER, FOLDERS

SCHEMAS = tuple(folder for folders in FOLDERS.values() for folder in folders)

_BUILT = """
select n.nspname, c.relname, c.relkind = 'v'
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%s) and c.relkind in ('r', 'v')
order by 1, 2
"""
# In the names of what dbt swaps in.
_DURING_A_BUILD = "__dbt_"

Relation = tuple[str, str, bool]  # schema, name, whether it is a view


def built_without_model(
    dsn: str, removed: Collection[Path] = (), project: Path = FOLDER
) -> list[Relation]:
    """What is in dbt's schemas, but would not be built again once these files are removed."""
    files = set(project.glob("models/**/*.sql")) - set(removed)
    models = {path.stem for path in files}
    with connection(dsn) as opened:
        found = opened.execute(_BUILT, (list(SCHEMAS),)).fetchall()
    return [
        (schema, name, is_view)
        for schema, name, is_view in found
        if name not in models and _DURING_A_BUILD not in name
    ]


def drop(dsn: str, relations: Collection[Relation]) -> None:
    """Drop them, views first. Raises `PipelineError`s if something else depends on one."""
    with connection(dsn) as opened:
        for kind, views in (("view", True), ("table", False)):
            names = [
                sql.Identifier(schema, name)
                for schema, name, is_view in relations
                if is_view is views
            ]
            if names:
                opened.execute(
                    sql.SQL("drop {} if exists {}").format(sql.SQL(kind), sql.SQL(", ").join(names))
                )
