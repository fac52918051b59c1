"""What operators look at: health, metrics, logs. Nothing here is open unless a setting says so."""
