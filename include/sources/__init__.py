"""The contracts, one YAML file a source, and what they promise. Pure: reads definitions only."""
