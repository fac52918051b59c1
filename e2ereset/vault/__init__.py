"""E2E key pairs of the accounts: stored, given out, replaced."""
