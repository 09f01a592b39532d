"""The rules that a load applies today, and what was loaded by others."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection

from include.settings import Settings
from include.sources.model import Contract, contracts
from include.warehouse.books import ledger
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.connection import connect


def pseudonyms_of(contract: Contract, settings: Settings) -> Pseudonyms | None:
    """What makes the contract's pseudonyms, if it has any. Raises `WrongSetting` without a key."""
    if any(column.personal == "pseudonymise" for column in contract.columns):
        return Pseudonyms(settings.need("pseudonym_key"))
    return None


def rules_hash_of(contract: Contract, settings: Settings) -> str:
    """The `rules_hash` of a load today. Raises `WrongSetting` if it needs a key and has none.

    It includes the pseudonym key, because another key produces other rows.
    """
    pseudonyms = pseudonyms_of(contract, settings)
    if pseudonyms is None:
        return contract.rules_hash
    return hashlib.sha256(f"{contract.rules_hash} {pseudonyms.fingerprint}".encode()).hexdigest()


def known_rules_hash(contract: Contract, settings: Settings) -> str | None:
    """The same, or None if it needs a key and has none."""
    pseudonymised = any(column.personal == "pseudonymise" for column in contract.columns)
    if pseudonymised and not settings.pseudonym_key:
        return None
    return rules_hash_of(contract, settings)


def loaded_by_older_rules(dsn: str, settings: Settings, but: Collection[str] = ()) -> list[str]:
    """For each source with such partitions, how many there are and how to reload them.

    Sources in `but` are left out, as their tables take no load before they are rebuilt.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        entries = ledger.current_loads(cursor)
    loaded = Counter(entry["source"] for entry in entries)
    older: Counter[str] = Counter()
    hashes = {name: known_rules_hash(item, settings) for name, item in contracts().items()}
    for entry in entries:
        older[entry["source"]] += hashes.get(entry["source"]) not in (None, entry["rules_hash"])
    return [
        f"raw.{source}: {count} of {loaded[source]} partitions were loaded under older rules of "
        f"the contract. Reload them from S3: `wandle reload {source}`, then `wandle transform`."
        for source, count in sorted(older.items())
        if count and source not in but
    ]
