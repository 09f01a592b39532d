"""Columns in memory: filters, order, pages and groups of rows, and what is wrong with a query."""
