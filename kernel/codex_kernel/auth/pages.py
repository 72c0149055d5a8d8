"""What the login server shows in the browser: small pages of our own, nothing loaded from elsewhere."""

from __future__ import annotations

import html

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.4rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181d; color: #e6e6e6; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""


def page(title: str, text: str) -> bytes:
    """A page with a heading and one paragraph."""
    return _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
