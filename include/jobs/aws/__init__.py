"""What runs on AWS only: an environment's databases, its checks, the extract function."""
