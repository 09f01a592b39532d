"""Logging in to an API: secrets by name, and the tokens that they are exchanged for."""
