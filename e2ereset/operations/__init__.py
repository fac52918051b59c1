"""Health and metrics for operators. Nothing here is open unless a setting says so."""
