"""Where columns come from and what breaks with them; what each run read and wrote."""
