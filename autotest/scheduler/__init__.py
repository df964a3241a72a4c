"""What decides: which entry gets which host, what follows a step, what is owed to those that died.

Nothing here publishes. Each function that makes something ready returns :class:`wakes.Wake` values, and the caller
publishes them after the commit.
"""
