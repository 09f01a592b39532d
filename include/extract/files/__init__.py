"""Files that somebody puts somewhere: which there are, whose they are, and their bytes."""
