"""Landing -> PostgreSQL: tables, validation in columns, COPY, ledger, quarantine, roles."""
