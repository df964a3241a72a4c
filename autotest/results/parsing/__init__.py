"""Parsing: the files of a results folder, each read by a module of its own."""
