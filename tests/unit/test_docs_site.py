"""The site of the documentation is built strictly, and asks no other host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
BUILD_SECONDS = 600
OTHER_HOST = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)

pytestmark = pytest.mark.timeout(1_200)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [str(shutil.which("make")), "docs", f"DOCS_SITE={folder}"],
        cwd=CHECKOUT,
        # The variables of a `make` that runs the tests are not for this one.
        env={name: value for name, value in os.environ.items() if "MAKE" not in name},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def copy(tmp_path: Path, site: Path) -> Path:
    """A checkout whose docs can be changed."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for path in CHECKOUT.iterdir():
        if path.name != "docs":
            (folder / path.name).symlink_to(path)
    shutil.copytree(CHECKOUT / "docs", folder / "docs")
    return folder


def built(checkout: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The build of a checkout's site, by the environment that `make docs` made."""
    return subprocess.run(
        [CHECKOUT / ".venv-docs/bin/python", checkout / "docs/site/build.py", folder],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )


def test_every_page_of_the_docs_is_on_the_site_and_in_its_search(site):
    pages = [path.relative_to(CHECKOUT / "docs") for path in (CHECKOUT / "docs").rglob("*.md")]
    search = (site / "search.json").read_text(encoding="utf-8")

    assert len(pages) > 30
    for page in pages:
        assert (site / page).with_suffix(".html").exists(), page
        assert page.with_suffix(".html").as_posix() in search


def test_no_page_names_a_file_of_another_host(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 40
    named = {page.name: OTHER_HOST.findall(page.read_text("utf-8")) for page in pages}

    assert {name: found for name, found in named.items() if found} == {}
    assert OTHER_HOST.search('<link rel="stylesheet" href="https://fonts.example.org/css">')
    assert OTHER_HOST.search('<script src="//cdn.example.org/a.js">')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a page](gone.md)", "docs/adding-a-dataset.md: links to gone.md, which does not exist."),
        ("[a heading](runbook.md#gone)", "anchor does not exist"),
        ("[outside](../../etc/passwd)", "docs/adding-a-dataset.md: links to ../../etc/passwd"),
    ],
)
def test_a_broken_link_stops_the_build(copy, tmp_path, text, said):
    page = copy / "docs" / "adding-a-dataset.md"
    page.write_text(f"{page.read_text()}\n{text}\n")

    done = built(copy, tmp_path / "site")

    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_page_in_no_section_stops_the_build(copy, tmp_path):
    (copy / "docs" / "forgotten.md").write_text("# Forgotten\n")

    done = built(copy, tmp_path / "site")

    assert done.returncode == 1
    assert "in no section: docs/forgotten.md" in done.stderr
