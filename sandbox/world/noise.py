"""Random numbers in columns that depend on their keys alone: SplitMix64's finalizer.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(key: Keys, *parts: NDArray[Any]) -> Keys:
    """64 bits for each key with its parts."""
    bits = _finalized(np.asarray(key, np.uint64))
    for part in parts:
        bits = _finalized(bits ^ (part.astype(np.uint64) * _STEP))
    return bits


def uniform(key: Keys, *parts: NDArray[Any]) -> NDArray[np.float64]:
    """A number from 0 to below 1 for each key with its parts."""
    return np.asarray((mixed(key, *parts) >> np.uint64(11)) / float(1 << 53))


def _finalized(bits: Keys) -> Keys:
    bits = bits + _STEP
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return np.asarray(bits ^ (bits >> np.uint64(31)))
