"""django-allauth, headless: its own route verifies the code again, then the session may reset."""
