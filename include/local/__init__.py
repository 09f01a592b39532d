"""The platform on one machine: embedded PostgreSQL, S3, sandbox and Airflow, started together."""
