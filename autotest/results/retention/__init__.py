"""Retention: old results folders leave the disk, archived or for good, and archived ones can be read again."""
