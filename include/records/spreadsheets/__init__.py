"""Spreadsheets, read row by row: Excel workbooks and OpenDocument."""
