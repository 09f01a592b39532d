"""No DAG: one import error in the Airflow UI for the contracts and councils that are broken.

The other DAG files do without them, so that nothing that does not need them is held back.
"""

from __future__ import annotations

from include.councils.model import broken_councils
from include.errors import WrongDefinition
from include.sources.model import broken_contracts

_broken = [*broken_contracts().values(), *broken_councils().values()]
if _broken:
    raise WrongDefinition("\n".join(map(str, _broken)))
