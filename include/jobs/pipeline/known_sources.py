"""Every source that has data, found from the data themselves, and the contract to read them by.

A source that is switched off or whose file is gone keeps its table and landings. It is read by the
contract that the database recorded when it was loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from include.councils import model as council_model
from include.councils.model import UK, councils
from include.definitions import files_of
from include.errors import PermanentError
from include.jobs.lake import Lake
from include.landing.store import ROOT
from include.sources import model as source_model
from include.sources.model import Contract, contract, contracts, every_contract
from include.sources.partition import Grain, Partition, Period
from include.warehouse.books import contracts as books
from include.warehouse.books import stored
from include.warehouse.connection import Cursor, connect
from include.warehouse.schema import raw_table

State = Literal["enabled", "disabled", "broken", "gone"]


@dataclass(frozen=True)
class KnownSource:
    """A source, its contract (None: no file, and none is recorded), and whether it is in use."""

    name: str
    contract: Contract | None
    state: State

    @property
    def how_to_proceed(self) -> str:
        """What to do about data that nothing loads any more."""
        file = f"include/sources/{self.name}.yaml"
        if self.state == "broken":
            found = files_of(source_model.FOLDER, self.name)
            file = f"include/sources/{found[0].name}" if found else file
            return f"Fix {file}; `wandle validate` says what is wrong."
        again = f"Set `enabled: true` in {file}" if self.state == "disabled" else f"Restore {file}"
        return f"{again}, or remove them: `wandle remove {self.name}`."


def sources_with_data(lake: Lake, cursor: Cursor) -> set[str]:
    """The names of all sources that S3 or the database has anything of."""
    return stored.sources(cursor) | set(lake.landings.folders(ROOT))


def retired(lake: Lake, cursor: Cursor) -> list[KnownSource]:
    """The sources that have data but no enabled contract, by name."""
    names = sources_with_data(lake, cursor) - contracts().keys()
    recorded = books.recorded(cursor)
    return [_known(cursor, name, recorded) for name in sorted(names)]


def _known(cursor: Cursor, name: str, recorded: Mapping[str, Contract]) -> KnownSource:
    """A source, by a contract that its table fits, if one does."""
    found = [known[name] for known in (every_contract(), recorded) if name in known]
    table = stored.columns(cursor, name)
    fitting = [one for one in found if not table or not raw_table.differences(one, table)]
    return KnownSource(name, next(iter((*fitting, *found)), None), _state(name))


def _state(name: str) -> State:
    if name in every_contract():
        return "disabled"
    return "broken" if files_of(source_model.FOLDER, name) else "gone"


def known_contracts(cursor: Cursor) -> dict[str, Contract]:
    """The contract of each source: its file's, even if it is disabled, or the recorded one."""
    return {**books.recorded(cursor), **every_contract()}


def readable_contract(name: str, dsn: str, doing: str) -> Contract:
    """The contract to read a source's data by.

    Raises `UnknownName` if there is neither a file nor anything in the
    database, and `PermanentError` if there are data of an unknown contract.
    """
    if name in contracts():
        return contracts()[name]
    with connect(dsn) as connection, connection.cursor() as cursor:
        known = _known(cursor, name, books.recorded(cursor))
        if known.contract:
            return known.contract
        if name not in stored.sources(cursor):
            return contract(name)
    raise PermanentError(
        f"{doing}: {name}: its file is gone and the database has not recorded its contract, so "
        "its records cannot be read or searched completely. Nothing was changed. Restore "
        f"include/sources/{name}.yaml (`enabled: false` will do), or remove all of it: "
        f"`wandle remove {name}`."
    )


def known_names(sources: Iterable[str], councils: Iterable[str]) -> set[tuple[str, str]]:
    """Sources and councils that have no file, for `Selection.check`."""
    return {(source, "") for source in sources} | {("", council) for council in councils}


def belongs(contract: Contract, council: str) -> bool:
    """Whether a council's partitions are of the contract: the council has a file, or is `uk`."""
    if contract.councils == UK or council == UK:
        return council == contract.councils
    # A file that is broken is still there.
    return council in councils() or bool(files_of(council_model.FOLDER, council))


def partition_at(
    source: str, council: str, begin: date, contracts: Mapping[str, Contract]
) -> Partition:
    """The partition of a begin in the database: a day, if it cannot be one of the contract."""
    grain: Grain = contracts[source].period if source in contracts else "day"
    return Partition(source, council, Period.starting(begin, grain))
