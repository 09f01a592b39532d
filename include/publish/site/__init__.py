"""The dashboard: the marts as a static site that needs no script to be read."""

from include.publish.site.build import pages

__all__ = ["pages"]
