"""The words in which the server refuses a sign-in."""


def refusal(error, message=None):
    """The body of a refused sign-in."""
    return {"success": False, "error": error, "status": "error", "message": message or error}


UNAUTHORIZED = refusal("Unauthorized")
