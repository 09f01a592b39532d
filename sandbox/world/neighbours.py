"""Councils that no file describes yet: what `wandle new-council` finds in the sandbox."""

from __future__ import annotations

from include.councils.model import Council

_MERTON = [
    "Abbey",
    "Cannon Hill",
    "Colliers Wood",
    "Cricket Green",
    "Dundonald",
    "Figge's Marsh",
    "Graveney",
    "Hillside",
    "Lavender Fields",
    "Longthornton",
    "Lower Morden",
    "Merton Park",
    "Pollards Hill",
    "Ravensbury",
    "Raynes Park",
    "St Helier",
    "Trinity",
    "Village",
    "West Barnes",
    "Wimbledon Park",
]
_FIRST_CODE = 455

NEIGHBOURS = (
    Council.model_validate(
        {
            "name": "merton",
            "title": "Merton",
            "gss_code": "E09000024",
            "police_force": "metropolitan",
            "latitude": 51.415,
            "longitude": -0.19,
            "radius_km": 6,
            "ward_sets": [
                {
                    "from": "2014-01-01",
                    "wards": [
                        {"code": f"E05{number:06}", "name": name}
                        for number, name in enumerate(_MERTON, start=_FIRST_CODE)
                    ],
                }
            ],
        }
    ),
)
