"""The grid that weather is computed on: ECMWF's octahedral reduced Gaussian grid O1280.

Checked against recorded answers: 43.78, 15.30 is in the cell of 43.760983, 15.362538.
"""

from __future__ import annotations

import numpy as np

ROWS_TO_THE_POLE = 1_280
POINTS_OF_THE_POLAR_ROW = 20
POINTS_MORE_IN_EACH_ROW = 4

# In single precision, as the API computes: its digits are those.
ROW_DEGREES = np.float32(180) / np.float32(2 * ROWS_TO_THE_POLE + 0.5)


def cell_of(latitude: float, longitude: float) -> tuple[float, float]:
    """The centre of the cell that a place is in, in degrees, with a float32's digits."""
    row = min(int(abs(latitude) / ROW_DEGREES), ROWS_TO_THE_POLE - 1)
    points = POINTS_OF_THE_POLAR_ROW + POINTS_MORE_IN_EACH_ROW * (ROWS_TO_THE_POLE - 1 - row)
    step = np.float32(360) / np.float32(points)
    north = np.float32(row) * ROW_DEGREES + ROW_DEGREES / np.float32(2)
    east = np.float32(round(longitude / step)) * step
    return _digits(north if latitude >= 0 else -north), _digits(east)


def _digits(value: np.float32) -> float:
    return float(str(value))
