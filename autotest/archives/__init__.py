"""Archives from strangers: unpacked whole into a folder, or refused with the name of the member that is to blame."""
