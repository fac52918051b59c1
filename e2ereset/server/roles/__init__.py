"""Roles of users, and which permissions they hold."""
