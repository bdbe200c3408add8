"""Dialogues with an exchange, one behaviour each. Every function here that is marked with ``covers`` runs at every place."""
