"""The database layer: engines, transactions, tables, pagination."""
