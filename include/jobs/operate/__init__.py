"""What operators run on data that is there: verify, explain, erase, housekeeping."""
