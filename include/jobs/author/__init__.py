"""What writes and checks definitions: sources, councils, dbt's files."""
