"""Alerts: one message for a problem, and an all-clear when it is resolved."""
