"""What a table holds: read within bounded memory, described with pandas."""
