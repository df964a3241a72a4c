"""Power outlets of DUTs: one file per device."""
