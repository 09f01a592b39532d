"""XML: a safe parser, and the records of a document."""
