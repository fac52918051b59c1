"""The twin: a TOTP reset of one's own key by hand, in a plain Flask view on the raw driver."""
