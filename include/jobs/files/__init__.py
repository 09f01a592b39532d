"""Files as a source: where they are, which are new, and putting them into an inbox."""
