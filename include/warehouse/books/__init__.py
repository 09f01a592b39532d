"""The books of the loads: ledger, quarantine, unknown fields, removals."""
