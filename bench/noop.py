"""The floor: a Flask endpoint that does nothing but answer in JSON."""

from flask import Flask

app = Flask(__name__)


@app.post("/api/v1/users.resetE2EKey")
def answer() -> dict[str, bool]:
    """What a reset answers, at once."""
    return {"success": True}
