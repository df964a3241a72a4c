"""Where bundles come from: one kind of address, one file."""
