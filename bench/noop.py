"""The floor: a Flask endpoint that does nothing but answer in JSON."""

from flask import Flask

from .facts import RESET_PATH

app = Flask(__name__)


@app.post(RESET_PATH)
def answer() -> dict[str, bool]:
    """What a reset answers, at once."""
    return {"success": True}
