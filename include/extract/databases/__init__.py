"""Fetch partitions from databases."""
