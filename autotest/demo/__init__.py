"""The demo: a whole installation in one folder, on this machine, from the broker to the DUTs, for one minute."""
