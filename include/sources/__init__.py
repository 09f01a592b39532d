"""The contracts, one YAML file per source, and their models. Pure: reads definitions only."""
