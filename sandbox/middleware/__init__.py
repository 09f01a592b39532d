"""Faults and rate limits in front of each API."""
