"""Stand-ins for the public APIs: request -> rate limit -> faults -> generated or recorded data."""
