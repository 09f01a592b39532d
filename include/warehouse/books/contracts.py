"""The contracts that data were loaded by, so that they stay readable when a file is gone."""

from __future__ import annotations

import json
import logging

from include.definitions import validated
from include.errors import WrongDefinition
from include.sources.model import Contract
from include.warehouse.connection import Cursor, rows

log = logging.getLogger(__name__)

# For each source the one that its newest good load used, else the one recorded last.
_NEWEST = """
select distinct on (recorded.source) recorded.source, recorded.content
from ops.contract as recorded
left join (
    select source, contract_hash, max(load_id) as load_id
    from ops.load where status in ('loaded', 'unchanged') group by source, contract_hash
) as used using (source, contract_hash)
order by recorded.source, used.load_id desc nulls last, recorded.recorded_at desc
"""


def record(cursor: Cursor, contract: Contract) -> None:
    """Record this version of a contract, once."""
    cursor.execute(
        "insert into ops.contract (source, contract_hash, content) values ($1, $2, $3) "
        "on conflict do nothing",
        (contract.name, contract.contract_hash, contract.as_recorded),
    )


def recorded(cursor: Cursor) -> dict[str, Contract]:
    """The recorded contract of each source. One that this version cannot read is left out."""
    found = {}
    for row in rows(cursor, _NEWEST):
        try:
            contract = validated(
                json.loads(row["content"]), Contract, f"ops.contract: {row['source']}"
            )
        except WrongDefinition as error:
            log.warning("%s", error)
            continue
        found[row["source"]] = contract
    return found
