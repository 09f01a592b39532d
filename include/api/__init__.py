"""The read API over the published versions: from memory, without the database."""
