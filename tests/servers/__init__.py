"""Servers: the parts of a production installation, each private to one test session: own port, own folder, own user."""
