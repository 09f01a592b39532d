"""Drop what dbt built of a model whose file is gone; dbt itself leaves it, with its rows."""

from __future__ import annotations

from collections.abc import Collection

from include.errors import PermanentError, UnknownName
from include.jobs.operate.remove_files import shown
from include.transform.leftovers import SCHEMAS, Relation, built_without_model
from include.transform.project import FOLDER


def find_built(names: Collection[str], *, dsn: str) -> list[Relation]:
    """Those of the tables and views, such as `marts.daily_rain`, that are there.

    Raises `UnknownName` for what dbt does not build, and `PermanentError` for
    what a model of the project still builds.
    """
    builders = {path.stem: path for path in FOLDER.glob("models/**/*.sql")}
    for name in names:
        schema, _, model = name.partition(".")
        if schema == "raw":
            raise UnknownName(f"remove: to remove a dataset, name it: `wandle remove {model}`.")
        if schema not in SCHEMAS:
            known = ", ".join(f"{schema}.<name>" for schema in SCHEMAS)
            raise UnknownName(f"remove: {name!r}: expected a source, or {known}.")
        if model in builders:
            raise PermanentError(
                f"remove: nothing was changed. {shown(builders[model])} builds {name}. Delete that "
                "file and its .yml first; otherwise it would be built again."
            )
    asked = {*names}
    return [item for item in built_without_model(dsn) if f"{item[0]}.{item[1]}" in asked]
