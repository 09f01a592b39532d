"""The local platform: embedded PostgreSQL, S3, API sandbox and Airflow."""
