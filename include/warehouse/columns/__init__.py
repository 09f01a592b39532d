"""Records -> typed columns: null values and lists, casts, rules, duplicates, hashes."""
