"""Sources that read the landings of another one: what they follow, and how."""
