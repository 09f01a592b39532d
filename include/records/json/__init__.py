"""JSON: exact values, records, and streaming."""
