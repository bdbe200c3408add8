"""The stateless front node of magi-exchange."""
