"""API -> landing -> PostgreSQL raw -> dbt. The schedule is in `dags/`, the definitions in YAML."""
