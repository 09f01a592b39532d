"""The `wandle` command line: run the platform locally and any step of the pipeline by hand.

Each module holds one group of commands; each command is a function.
"""

from __future__ import annotations

import errno
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from include.cli import (
    define,
    draft,
    files,
    lists,
    models,
    pipeline,
    platform,
    publish,
    remove,
    retention,
    secrets,
    serving,
    trace,
)
from include.disk import full_message, is_full
from include.errors import PipelineError
from include.settings import Settings
from include.terminal import begin, complain, complain_of_crash, say

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Run the Wandle platform, and load public-API data into S3, PostgreSQL and dbt marts.",
    epilog="Start with `make demo`. For examples, run `wandle COMMAND --help`.",
)

# A file or folder that this user may not read or change.
_CLOSED = (errno.EACCES, errno.EPERM)

# The groups of `wandle --help`, in order.
GROUPS = (
    ("Platform", platform.commands),
    ("Pipeline", pipeline.commands),
    ("Pipeline", publish.commands),
    ("Pipeline", files.commands),
    ("Pipeline", models.commands),
    ("Inspect", lists.commands),
    ("Inspect", trace.commands),
    ("Inspect", serving.commands),
    ("Retention and erasure", retention.commands),
    ("Retention and erasure", remove.commands),
    ("Sources, councils and projects", draft.commands),
    ("Sources, councils and projects", define.commands),
    ("Sources, councils and projects", secrets.commands),
)
for _title, _commands in GROUPS:
    for _command in _commands.registered_commands:
        _command.rich_help_panel = _title
    app.add_typer(_commands)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"wandle {version('wandle')}, code {Settings.read().code_version}")
        raise typer.Exit


@app.callback()
def _of_every_command(
    _: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. What fails prints one message and exits with code 1."""
    begin()
    try:
        app()
    except PipelineError as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        complain("interrupted. Nothing is lost: run the same command again to resume.")
        sys.exit(130)
    except Exception as error:
        if isinstance(error, OSError) and is_full(error):
            told = full_message(error, Settings.read().home, Path(tempfile.gettempdir()))
            complain(f"{told}, then run the same command again; nothing needs repair.")
        elif isinstance(error, OSError) and error.errno in _CLOSED and error.filename:
            complain(
                f"{error.filename}: {error.strerror}. Give this user access to it, or choose "
                "another place, then run the same command again."
            )
        else:
            complain_of_crash()
        sys.exit(1)
