"""What all APIs of the sandbox share: the day, the map, areas, recorded payloads."""
