"""Signing in to the server: somebody to do it, and the words of a refusal."""


def refusal(error, message=None):
    """The body of a refused sign-in."""
    return {"success": False, "error": error, "status": "error", "message": message or error}


UNAUTHORIZED = refusal("Unauthorized")
