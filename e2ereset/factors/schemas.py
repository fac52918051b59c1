"""The body of `users.2fa.sendEmailCode`."""

from e2ereset.http.schemas import Body, Text


class CodeBody(Body):
    """Whose pending code to mail again."""

    emailOrUsername = Text(required=True)


CODE = CodeBody()
