"""What is counted: one call where it happens, and no more."""
