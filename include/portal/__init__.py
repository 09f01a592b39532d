"""Pages about what is loaded, late, quarantined and built; they only read the books."""
