"""What the apps share, one topic per module. Imports no app."""
