"""The servers that can carry the listeners. Nothing else in the project knows which one runs."""
