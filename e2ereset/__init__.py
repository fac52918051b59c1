"""Resets E2E keys behind a second factor."""
