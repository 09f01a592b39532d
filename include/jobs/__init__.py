"""The jobs that DAG tasks and the command line run; they compose the rest of `include`."""
