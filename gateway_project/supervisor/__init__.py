"""One process per role, and the one that starts, restarts and stops them."""
