"""Connections to sources: which addresses they may lead to, and how long they may take."""
