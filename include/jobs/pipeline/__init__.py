"""The steps of a partition, from plan to marts."""
