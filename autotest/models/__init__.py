"""What is remembered: the AFE, TKO and lab tables, and the only code that knows a database.

``database`` opens it, ``afe`` holds jobs and hosts, ``tko`` holds results, ``lab`` holds labs and leases.
"""
