"""How a source is fetched: the part of its contract."""
