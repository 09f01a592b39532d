"""API -> pages: requests, retries, rate limits and splitting. Does not use S3 or raw tables."""
