"""Verify and repair: what is wrong with a DUT, and what cures it."""
