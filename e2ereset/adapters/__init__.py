"""Ready implementations of what a host gives: its users, and who is signed in."""
