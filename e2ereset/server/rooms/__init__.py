"""Rooms, as far as their keys go."""
