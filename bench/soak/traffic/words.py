"""Routes and refusals."""

RESET = "users.resetE2EKey"
NOT_SIGNED_IN = "401 You must be logged in to do this."
INVALID, REQUIRED, NOT_ALLOWED = "totp-invalid", "totp-required", "error-not-allowed"
