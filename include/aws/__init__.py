"""The AWS services Wandle uses besides S3: STS roles, Secrets Manager, CloudWatch."""
