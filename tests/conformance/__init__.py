"""Conformance with the wires, clause by clause."""
