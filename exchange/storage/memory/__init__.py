"""All ports in memory, for tests and for the contract suite: the twin that says what the ports mean."""
