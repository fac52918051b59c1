"""The use cases, a module each; they know neither HTTP nor Flask."""
