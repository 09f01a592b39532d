"""Publish the marts as versions, and choose, withdraw and delete versions."""
