"""Sources that read the landings of another one, or wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract, contracts, every_contract


def schedule_of(contract: Contract) -> str:
    """The schedule of a source; of one that reads landings, that of the source it follows."""
    extract = contract.extract
    if isinstance(extract, LandingExtract) and extract.source in every_contract():
        return every_contract()[extract.source].schedule
    return contract.schedule


def is_parent(source: str) -> bool:
    """Whether an enabled source makes its requests from the landings of this one."""
    return any(
        parent.source == source
        for other in contracts().values()
        for parent in other.extract.parents.values()
    )


def followers(source: str, known: Mapping[str, Contract] | None = None) -> list[Contract]:
    """The sources that read the landings of a source: of `known` ones, or else of enabled ones."""
    return [
        other
        for other in (contracts() if known is None else known).values()
        if isinstance(other.extract, LandingExtract) and other.extract.source == source
    ]
