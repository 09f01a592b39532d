"""Let the sources that read a source's landings follow an erasure from these."""

from __future__ import annotations

from include.jobs.followers.derive import derived, home_of
from include.jobs.lake import Lake
from include.jobs.operate.erase_search import Found
from include.landing.inventory import stored_landings
from include.landing.rewrite import replacement_id
from include.landing.write import write_manifest
from include.sources.model import Contract


def follow(contract: Contract, erased: Found, *, lake: Lake) -> Found:
    """Write a replacement for each landing whose pages are in a replaced one; returns them.

    The IDs are derived from the landings', so an interrupted attempt is
    overwritten. Raises as `derived` does.
    """
    found = Found()
    for stored in stored_landings(lake.landings, contract.name):
        partition = stored.partition
        found.stored[partition, stored.landing_id] = stored
        manifest = lake.landings.manifest(partition, stored.landing_id)
        if manifest.replaces:
            found.replaced[partition, manifest.replaces] = manifest
        home = home_of(contract, partition)
        place = (home, manifest.pages_in.landing_id if manifest.pages_in else "")
        if place not in erased.replaced or (partition, stored.landing_id) in found.replaced:
            continue
        pages_of = lake.landings.manifest(home, erased.stands_for(place))
        replacement = derived(
            contract,
            partition,
            pages_of,
            lake.landings,
            landing_id=replacement_id(stored.landing_id),
            run_id=pages_of.run_id,
            started_at=manifest.started_at,
            replaces=manifest,
        )
        write_manifest(lake.landings, partition, replacement)
        found.replaced[partition, stored.landing_id] = replacement
    return found
