"""Signing in and out, sign-ins, personal access tokens."""
