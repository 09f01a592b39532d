"""The command that publishes open data and manages its versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from include.cli.terminal import JsonOption, settings_for
from include.errors import PermanentError
from include.terminal import note, print_json, print_table, say

commands = typer.Typer()


@commands.command()
def publish(
    show: Annotated[bool, typer.Option("--list", help="List what can be chosen.")] = False,
    use: Annotated[
        str,
        typer.Option(
            "--use", metavar="VERSION", help="Make this version current, until `--use latest`."
        ),
    ] = "",
    withdraw: Annotated[
        str,
        typer.Option(
            "--withdraw", metavar="VERSION", help="Delete this version, and never publish it again."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Publish the marts as open data with a dashboard, as the last task of `transform` does.

    Writes a version to `published/` in the bucket: each mart with `publish: true` as CSV,
    Parquet, JSON and, with geometry, GeoJSON; their descriptions; and the pages. Only what is
    built, tested and public is published. The same content is not published twice.

    Examples:

    `wandle publish`

    `wandle publish --list`

    `wandle publish --use VERSION` (back to an older version), `wandle publish --use latest`

    `wandle publish --withdraw VERSION`
    """
    if sum(map(bool, (show, use, withdraw))) > 1:
        raise typer.BadParameter("choose one of --list, --use and --withdraw")
    if show:
        _list(as_json=as_json)
    elif use or withdraw:
        _change(use, withdraw, as_json=as_json)
    else:
        _publish(as_json=as_json)


def _publish(*, as_json: bool) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.publish.publish import publish as run

    settings = settings_for("postgresql", "s3")
    done = run(
        dsn=settings.need("transformer_dsn"),
        publisher_dsn=settings.need("publisher_dsn"),
        lake=lake_of(settings),
        home=settings.home / "dbt",
        report=note,
    )
    if as_json:
        print_json(done)
        return
    for name, why in done["kept"].items():
        say(f"Warning: {name} keeps its last published files: {why}")
    if not done["version"]:
        raise PermanentError("publish: nothing was published: see above.")
    rows = [
        [name, count, changed_text(done["changes"].get(name))]
        for name, count in done["rows"].items()
    ]
    print_table(("dataset", "rows", "changes"), rows, right=("rows",))
    say(f"Version {done['version']}{' published.' if done['new'] else ' has this content.'}")


def _list(*, as_json: bool) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.publish.versions import listed

    found = listed(lake_of(settings_for("s3")))
    if as_json:
        print_json(found)
        return
    if not found:
        say("Nothing has been published yet.")
        return
    rows = [
        [
            f"{entry['version']}{' (current)' if entry['current'] else ''}",
            entry["published_at"],
            sum(dataset["rows"] for dataset in entry["datasets"].values()),
        ]
        for entry in found
    ]
    notes = [_note(entry) for entry in found]
    print_table(("version", "published", "rows"), rows, right=("rows",), notes=notes)
    if found[0]["pinned"]:
        say("The current version is pinned. `wandle publish --use latest` returns to the newest.")


def _note(entry: Mapping[str, Any]) -> str:
    changes = [f"{name}: {changed_text(change)}" for name, change in entry["changes"].items()]
    kept = [f"{name}: kept, {why}" for name, why in entry["kept"].items()]
    if not (changes or kept):
        return "pages or descriptions changed" if entry["since"] else "the first version"
    return "; ".join([*changes, *kept])


def changed_text(change: Mapping[str, Any] | None) -> str:
    """What changed in a dataset, for people."""
    if change is None:
        return ""
    if change.get("new") or change.get("gone"):
        return "new" if change.get("new") else "no longer published"
    said = [f"{change[name]:,} {name}" for name in ("added", "removed", "changed") if change[name]]
    said += _columns(change, "columns_added", "new column")
    said += _columns(change, "columns_removed", "without column")
    return ", ".join(said) or "description changed"


def _columns(change: Mapping[str, Any], name: str, text: str) -> Iterable[str]:
    return [f"{text} {column}" for column in change.get(name, ())]


def _change(use: str, withdraw: str, *, as_json: bool) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.publish import versions

    settings = settings_for("postgresql", "s3")
    dsn, lake = settings.need("transformer_dsn"), lake_of(settings)
    if withdraw:
        current = versions.withdraw(withdraw, dsn=dsn, lake=lake).current
    else:
        current = versions.use(use, dsn=dsn, lake=lake)
    if as_json:
        print_json({"current": current})
        return
    if withdraw:
        say(f"Version {withdraw} is withdrawn and deleted.")
    say(f"Current: version {current}.")
