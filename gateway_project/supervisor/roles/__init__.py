"""One module per role, each with run(announce): returns when the process was told to stop and has stopped."""
