"""Arrival: what people had on a Rocket.Chat server is taken over, row by row."""
