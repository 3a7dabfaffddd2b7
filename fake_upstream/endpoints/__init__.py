"""One module per group of endpoints; `router` holds the table."""
