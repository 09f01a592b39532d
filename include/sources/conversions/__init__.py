"""How a publisher writes values, and what they become. Pure: only words of contracts."""
