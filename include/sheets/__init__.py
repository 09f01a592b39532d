"""Google Sheets: a table written into one tab at once."""
