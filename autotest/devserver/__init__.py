"""The dev server: stages builds from where they are archived, and serves their control files and images."""
