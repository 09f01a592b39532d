"""The tables, views, roles and grants of the warehouse."""
