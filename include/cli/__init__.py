"""The `wandle` command line: run the platform locally and any step of the pipeline by hand.

Each module holds one group of commands; each command is a function.
"""

from __future__ import annotations

import logging
import sys

import typer
from rich.logging import RichHandler
from rich.markup import escape

from include.cli import define, evidence, keep, look, platform, steps
from include.cli.terminal import trouble
from include.errors import PipelineError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Run the Wandle platform, and load public-API data into S3, PostgreSQL and dbt marts.",
    epilog="Start with `make demo`. For examples, run `wandle COMMAND --help`.",
)

# The groups of `wandle --help`, in order.
GROUPS = (
    ("Platform", platform.commands),
    ("Pipeline", steps.commands),
    ("Inspect", look.commands),
    ("Inspect", evidence.commands),
    ("Retention and erasure", keep.commands),
    ("Sources and councils", define.commands),
)
for _title, _commands in GROUPS:
    for _command in _commands.registered_commands:
        _command.rich_help_panel = _title
    app.add_typer(_commands)


def main() -> None:
    """Run the command line. A `PipelineError` prints one message and exits with code 1."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=trouble, show_time=False, show_path=False)],
    )
    try:
        app()
    except PipelineError as error:
        trouble.print(f"[red]wandle:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        trouble.print("wandle: interrupted. Nothing is lost: run the same command again to resume.")
        sys.exit(130)
