"""Proof on real processes that nothing accepted is lost: clients that write down what they saw, faults, and a checker."""
