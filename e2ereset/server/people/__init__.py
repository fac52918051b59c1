"""The users of the server: stored, looked after, and shown to the library as its accounts."""
