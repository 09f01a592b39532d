"""The bytes of an answer -> records: JSON, JSON lines, CSV. Imports no client library."""
