"""Contracts in the Open Data Contract Standard, version 3: https://bitol.io."""
