"""An app that embeds e2ereset."""
