"""The words of data.police.uk: crime categories, outcomes and forces, as the live API spells them.

Source: https://data.police.uk/docs/ and the shares measured in real answers of 2017.
"""

from __future__ import annotations

import re

# slug: (name, share of crimes). The order is that of the rows in a live answer.
CATEGORIES: dict[str, tuple[str, float]] = {
    "anti-social-behaviour": ("Anti-social behaviour", 0.209),
    "bicycle-theft": ("Bicycle theft", 0.018),
    "burglary": ("Burglary", 0.078),
    "criminal-damage-arson": ("Criminal damage and arson", 0.074),
    "drugs": ("Drugs", 0.030),
    "other-theft": ("Other theft", 0.084),
    "possession-of-weapons": ("Possession of weapons", 0.005),
    "public-order": ("Public order", 0.052),
    "robbery": ("Robbery", 0.015),
    "shoplifting": ("Shoplifting", 0.066),
    "theft-from-the-person": ("Theft from the person", 0.018),
    "vehicle-crime": ("Vehicle crime", 0.106),
    "violent-crime": ("Violence and sexual offences", 0.235),
    "other-crime": ("Other crime", 0.010),
}
ANTI_SOCIAL_BEHAVIOUR = "anti-social-behaviour"
ALL_CRIME = "all-crime"

UNDER_INVESTIGATION = "Under investigation"
NO_UPDATE = "Status update unavailable"

# name: (code, share of the outcomes that say something).
OUTCOMES: dict[str, tuple[str, float]] = {
    "Investigation complete; no suspect identified": ("no-further-action", 0.72),
    "Court result unavailable": ("court-result-unavailable", 0.05),
    "Offender given a caution": ("cautioned", 0.04),
    "Local resolution": ("local-resolution", 0.035),
    "Offender given a drugs possession warning": ("drugs-possession-warning", 0.025),
    "Offender given community sentence": ("community-penalty", 0.025),
    "Offender fined": ("fined", 0.02),
    "Offender sent to prison": ("imprisoned", 0.02),
    "Defendant found not guilty": ("not-guilty", 0.015),
    "Awaiting court outcome": ("awaiting-court-result", 0.015),
    "Offender given suspended prison sentence": ("suspended-prison", 0.01),
    "Offender given penalty notice": ("penalty-notice-issued", 0.01),
    "Unable to prosecute suspect": ("unable-to-prosecute", 0.015),
}

_FORCES = """
    avon-and-somerset bedfordshire btp cambridgeshire cheshire city-of-london cleveland
    cumbria derbyshire devon-and-cornwall dorset durham dyfed-powys essex gloucestershire
    greater-manchester gwent hampshire hertfordshire humberside kent lancashire leicestershire
    lincolnshire merseyside metropolitan norfolk north-wales north-yorkshire northamptonshire
    northern-ireland northumbria nottinghamshire south-wales south-yorkshire staffordshire
    suffolk surrey sussex thames-valley warwickshire west-mercia west-midlands west-yorkshire
    wiltshire
"""
FORCES = frozenset(_FORCES.split())


def outcome_code(name: str) -> str:
    """The code of an outcome; a slug of its name where the code is not known here."""
    if name in OUTCOMES:
        return OUTCOMES[name][0]
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
