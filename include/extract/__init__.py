"""API -> pages: requests, retries, rate limits and splitting. Knows neither S3 nor PostgreSQL."""
