"""The services of the platform on one machine."""
