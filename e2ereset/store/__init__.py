"""The database under the library: engines, transactions, tables, paging."""
