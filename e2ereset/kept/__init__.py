"""Requests of browsers that wait for the proof of their action."""
