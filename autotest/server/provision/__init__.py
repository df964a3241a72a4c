"""Provisioners: how a wanted version gets onto a DUT, one file per way."""
