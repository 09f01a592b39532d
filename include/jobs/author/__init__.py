"""Write and check definitions: sources, councils, dbt files."""
