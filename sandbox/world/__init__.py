"""Shared by all APIs of the sandbox: the date, the map, areas, recorded payloads."""
