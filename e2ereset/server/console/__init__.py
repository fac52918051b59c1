"""The console: pages on which people help others, and see who helped whom."""
