"""The reset of an E2E key: whole or not at all."""
