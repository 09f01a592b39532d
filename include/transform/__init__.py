"""PostgreSQL raw -> staging -> intermediate -> marts: runs dbt and reads its results."""
