"""One file per provider, one table in registry.py. An adapter decides and translates; it does no I/O."""
