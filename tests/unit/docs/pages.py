"""What the Markdown pages of this repository claim to be there: links, files, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from include.cli import app

CHECKOUT = Path(__file__).parents[3]
FOLDERS = ("docs", ".github", "terraform")
# How a session of the database calls itself, in an example of the runbook.
NO_COMMANDS = ("wandle load police_street_crime kingston 2017-05",)
# What the walkthroughs add to a copy of the checkout; `tests/acceptance` follows them.
MADE_BY_READERS = ("library", "merton", "daily_loans", "wet_days")
# What looks like a path of the checkout and is none: an object in the bucket, Terraform's state.
OTHER_PATHS = ("docs/current.json", "terraform/bootstrap/terraform.tfstate")

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ ]*([\w-]*).*?\n(.*?)^ {0,3}\1[ ]*$", re.M | re.S)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.I)
# Where GitHub has a workflow's badge and its runs, relative to a page at the top.
_WORKFLOW = re.compile(r"^\.\./\.\./actions/workflows/([\w-]+\.yml)(?:/badge\.svg)?(?:\?|$)")
_HEADING = re.compile(r"^#{1,6}[ ]+(.+?)[ ]*#*$", re.M)
_FILE = re.compile(
    r"(?<![\w/.<>{}*-])((?:include|dags|plugins|config|sandbox|tests|docs|terraform|dbt_project"
    r"|notebooks|\.github|\.ci|\.devcontainer)/[\w./-]*\w)(?![\w/<{*]|\.\.\.)"
)
# Languages of code blocks in which lines are commands, or say which command is next.
_SHELLS = ("", "sh", "bash", "console", "text")
_COMMAND = re.compile(r"(?:^|(?<=[\s;|&('\"`$]))(?:\.venv/bin/)?(wandle|make)(?=\s|$)")
# What comes before the name of an image, a namespace or a release that is called like the command.
_NO_COMMAND_AFTER = ("-n", "namespace", "--install")
_OPTION = re.compile(r"^(--[a-z][a-z-]*|-[a-zA-Z])\b")
_TARGET = re.compile(r"^([a-z][a-z0-9-]*)(?: [^:=]*)?:(?!=)", re.M)


@dataclass(frozen=True)
class Page:
    """A Markdown page and where it is; links in it are relative to that folder."""

    path: Path
    text: str

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """The code blocks: language and text."""
        return [(found[2], found[3]) for found in _FENCE.finditer(self.text)]

    @cached_property
    def prose(self) -> str:
        """The text without code blocks and comments."""
        return re.sub(r"<!--.*?-->", "", _FENCE.sub("\n", self.text), flags=re.S)

    @cached_property
    def spans(self) -> list[str]:
        """The code within lines of prose, without its backticks."""
        return [" ".join(found[2].split()) for found in _SPAN.finditer(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        """The targets of links and images that are not on another host."""
        targets = _LINK.findall(_SPAN.sub("`code`", self.prose))
        return [target for target in targets if not _ELSEWHERE.match(target)]

    @cached_property
    def files(self) -> list[str]:
        """The paths from the top of the checkout that code names, without placeholders."""
        code = [*self.spans, *(text for _, text in self.blocks)]
        named = [path for text in code for path in _FILE.findall(text)]
        known = (*MADE_BY_READERS, *OTHER_PATHS)
        return [path for path in named if not any(word in path for word in known)]

    @cached_property
    def commands(self) -> list[list[str]]:
        """Each `wandle ...` and `make ...` of code, as words."""
        found = []
        for line in [*self.spans, *self._shell_lines()]:
            for start in _COMMAND.finditer(line):
                if line[: start.start()].split()[-1:] in [[word] for word in _NO_COMMAND_AFTER]:
                    continue
                words = _words(line[start.start() :])
                words[:1] = [word.removeprefix(".venv/bin/") for word in words[:1]]
                if words and " ".join(words) not in NO_COMMANDS:
                    found.append(words)
        return found

    def _shell_lines(self) -> Iterator[str]:
        for language, text in self.blocks:
            if language in _SHELLS:
                for line in text.replace("\\\n", " ").splitlines():
                    # A comment may name another command, which counts only between backticks.
                    command, _, comment = line.partition(" #")
                    if not command.lstrip().startswith("#"):
                        yield command
                    yield from (span[2] for span in _SPAN.finditer(comment))


def _words(text: str) -> list[str]:
    """The words of the first command of a line; it ends at an operator of the shell or a quote."""
    command = re.split(r"[;|&><`)]|\s#|(?<=\w)['\"]\s*$|(?<=\w)['\"](?=[,.])", text)[0]
    try:
        return shlex.split(command)
    except ValueError:  # a quote that is closed after the operator
        return command.split()


@cache
def pages() -> tuple[Page, ...]:
    """Every Markdown page that people read: at the top, and below some folders."""
    paths = sorted(CHECKOUT.glob("*.md"))
    for folder in FOLDERS:
        paths += sorted((CHECKOUT / folder).rglob("*.md"))
    kept = [path for path in paths if ".terraform" not in path.parts]
    return tuple(Page(path, path.read_text(encoding="utf-8")) for path in kept)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCE.sub("\n", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        number = found.get(name, -1) + 1
        found[name] = number
        if number:
            found[f"{name}-{number}"] = 0
    return set(found)


def wrong_links(page: Page) -> list[str]:
    """Links to a file or a heading that is not there, or out of the checkout."""
    wrong = []
    for target in page.links:
        if workflow := _WORKFLOW.match(target):
            if not (CHECKOUT / ".github" / "workflows" / workflow[1]).exists():
                wrong.append(f"{target}: no such workflow")
            continue
        path, _, anchor = target.partition("#")
        file = (page.path.parent / path).resolve()
        if path and not (file.is_relative_to(CHECKOUT) and file.exists()):
            wrong.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(_text_of(file) if path else page.text):
            wrong.append(f"{target}: no such heading")
    return wrong


def _text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.suffix == ".md" else ""


def wrong_files(page: Page) -> list[str]:
    """Paths in code that are not there."""
    return [f"{path}: no such file" for path in page.files if not (CHECKOUT / path).exists()]


def wrong_commands(page: Page) -> list[str]:
    """Commands, options, targets and variables that do not exist."""
    wrong = []
    for name, *words in page.commands:
        found = _wrong_make(words) if name == "make" else _wrong_wandle(words)
        wrong += [f"{name} {' '.join(words)}: {what}" for what in found]
    return wrong


def _wrong_wandle(words: list[str]) -> list[str]:
    command = _command_line()
    options = _options(command)
    for word in words:
        allowed = _words_allowed(command)
        if allowed and re.fullmatch(r"[a-z-]+", word) and word not in allowed:
            return [f"no command {word}"]
        known = getattr(command, "commands", {})
        if word not in known:
            # Anything else in capitals or dots is a placeholder: `wandle COMMAND --help`.
            if known and re.fullmatch(r"[a-z][a-z-]*", word):
                return [f"no command {word}"]
            break
        command = known[word]
        options |= _options(command)
    named = [match[1] for word in words if (match := _OPTION.match(word))]
    return [f"no option {option}" for option in named if option not in options]


def _words_allowed(command: Any) -> tuple[str, ...]:
    """Those of a first argument that takes only a few words, as `wandle secrets set` does."""
    for each in command.params:
        if each.param_type_name == "argument":
            annotation = each.type_descriptor.annotation
            return get_args(annotation) if get_origin(annotation) is Literal else ()
    return ()


@cache
def _command_line() -> Any:
    return get_command(app)


def _options(command: Any) -> set[str]:
    names = [name for each in command.params for name in (*each.opts, *each.secondary_opts)]
    return {*names, "--help", "-h"}


def _wrong_make(words: list[str]) -> list[str]:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(_TARGET.findall(text))
    wrong = []
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable:
            if not re.search(
                rf"\$[({{]{name}\b|\$\((?:if|or) \$\({name}\)", text
            ) and not re.search(rf"^{name} \?=", text, re.M):
                wrong.append(f"no variable {name}")
        elif re.fullmatch(r"[a-z][a-z0-9-]*", word) and word not in targets:
            wrong.append(f"no target {word}")
    return wrong
