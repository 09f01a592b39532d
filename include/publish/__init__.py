"""Marts -> immutable versions in S3: open-data files with their descriptions, and a dashboard."""
