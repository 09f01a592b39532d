"""Alerts: what is wrong with a source, told once, and told again when it is over."""
