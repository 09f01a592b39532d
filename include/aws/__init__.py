"""What Wandle asks of AWS beside S3: roles, secrets, metrics."""
