"""The life of room keys: who has one, who waits for one, and who hands it out."""
