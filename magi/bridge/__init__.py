"""The MCP bridge: what an assistant can do at its owner's desk."""
