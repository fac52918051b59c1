"""The pages for people: their factors, their key, and the proof that a browser is led to."""
