"""Grants: tokens of machines that skip the second factor, within limits."""
