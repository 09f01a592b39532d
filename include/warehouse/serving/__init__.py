"""What people look at: tables described with pandas, and marts read row by row."""
