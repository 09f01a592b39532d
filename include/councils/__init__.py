"""The councils, one YAML file each: codes, wards in dated sets, police force."""
