"""One answer: its records, their fields, and whether a drafted contract loads them."""
