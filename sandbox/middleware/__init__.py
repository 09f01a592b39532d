"""Middleware of each API: faults and rate limits."""
