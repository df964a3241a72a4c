"""Importing: trees of old results folders become rows of the database, in parallel and as often as one likes."""
