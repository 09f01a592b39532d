"""The bytes of an answer -> records: JSON, JSON lines, CSV. Knows no client library."""
