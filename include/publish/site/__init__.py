"""The dashboard: the marts as a static site that needs no script to be read."""
