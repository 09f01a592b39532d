"""What a build must do: which models and tests are out of date, and which partitions of them."""
