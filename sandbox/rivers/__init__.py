"""environment.data.gov.uk/flood-monitoring and its archive."""
