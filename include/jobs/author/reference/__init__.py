"""The reference page of contracts, generated from the model."""
