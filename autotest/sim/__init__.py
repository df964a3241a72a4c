"""Sim: a fleet of simulated DUTs with faults, real SSH endpoints for demos, tests and benchmarks."""
