"""The client's side of the dev servers: which of them to ask, and what they answer."""
