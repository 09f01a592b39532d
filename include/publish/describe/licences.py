"""The licences that contracts name, with their identifiers and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence: its Open Definition identifier, title, and address, if it is known."""

    identifier: str
    title: str
    url: str = ""


# By how the contract's text begins.
_KNOWN = {
    "Open Government Licence v3.0": Licence(
        "OGL-UK-3.0",
        "Open Government Licence v3.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    ),
    "CC BY 4.0": Licence(
        "CC-BY-4.0",
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    "CC0": Licence(
        "CC0-1.0",
        "Creative Commons CC0 1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
}
# For all others, that of the Open Definition for "other, with attribution".
_OTHER = "other-at"


def licence_named(text: str) -> Licence:
    """The licence that a contract names; its title is the whole text, with any conditions."""
    for beginning, known in _KNOWN.items():
        if text.startswith(beginning):
            return Licence(known.identifier, text, known.url)
    return Licence(_OTHER, text)


def licences_of(texts: Iterable[str]) -> list[Licence]:
    """Each licence once, in order."""
    return [licence_named(text) for text in dict.fromkeys(texts)]
