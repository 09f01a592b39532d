"""Simulated public APIs: request -> rate limit -> faults -> generated or recorded data."""
