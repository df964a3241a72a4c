"""Control files: found in a tree, read as data in several readings, diagnosed and mended; never executed here."""
