"""The steps that a DAG task or the command line calls; they compose the rest of `include`."""
