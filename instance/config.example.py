"""Copy this to config.py beside it (`make run` does so) and change what you need.

The environment wins over this file: FLASK_MAIL_SERVER=... sets MAIL_SERVER, and so on.
"""

# The database. Without this line: e2ereset.sqlite3 beside this file.
# SQLALCHEMY_DATABASE_URI = "postgresql+psycopg://e2ereset@localhost/e2ereset"

# Mail lands in the folder mail/ beside this file. For a real server:
# MAIL_BACKEND = "smtp", MAIL_SERVER, MAIL_PORT, MAIL_USE_SSL, MAIL_USERNAME, MAIL_PASSWORD.
MAIL_BACKEND = "file"
MAIL_DEFAULT_SENDER = "e2ereset@localhost"

# Without SECRET_KEY or E2ERESET_SECRET_KEYS, one is made at the first start, in secret_key.
# E2ERESET_SECRET_KEYS = ["newest", "older"]

# E2ERESET_METHODS = ["totp", "email", "password"]
# E2ERESET_WORKSPACE = "Example Ltd"

# Where people reach the server, for links in mails and for passkeys.
# E2ERESET_SERVER_PUBLIC_URL = "https://chat.example.org"
