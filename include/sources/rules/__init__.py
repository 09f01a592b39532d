"""Rules between the fields of a contract, by what they are about."""
