"""The reset of an E2E key, in one transaction."""
