"""The part that lives on the DUT: runs control files with the standard library of Python 3.6 and later."""
