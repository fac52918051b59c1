"""QR codes, drawn by `segno` of the extra `pages`."""


def qr_code(text: str) -> str:
    """The text as an inline SVG, which is safe to show: the text is in none of its attributes."""
    import segno  # only who enrols an app needs it

    drawn = segno.make_qr(text, error="m")
    return drawn.svg_inline(svgclass="e2e-qr", lineclass=None, omitsize=True)
