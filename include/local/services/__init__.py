"""The services of the local platform."""
