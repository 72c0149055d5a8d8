"""Texts that would run, fetch or forge something if they were taken for more than text."""

from __future__ import annotations

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))", "[a](&#106;avascript:alert(1))", "[a](java\nscript:x)",
    "[a](data:text/html,<script>)", "![a](data:image/svg+xml;base64,PHN2Zz4=)", "![x](https://a.b/c.png)",
    "<https://a.b/?q=\">", "<javascript:alert(1)>", "[a](vscode://file/etc/passwd)", "[a](vbscript:x)",
    "[a](file:///etc/passwd)", "[a](//evil.example/x)", "[a](\\\\x)", "[a](<x y:z>)", "[a](x \"on\" onclick=y)",
    "&lt;script&gt;", "&#x202e;", "&#0;", "\u202e", "\u200b", "\x1b[31m", "\x00",
    "```js\"onload=x\n</code></pre><script>\n```\n", "~~~<b>\n", "`</code><script>`", "src/a.py:12",
    "【F:a\"><b>.py†L3】", "`a/b\"'<>.py:3`", "https://x.y/\"onmouseover=", "https://x.y/<b>", "| a |\n|--|\n| <b> |\n",
    "[ ] ", "- [x] <i>", "[![i](javascript:x)](javascript:y)", "[![i](http://a/b)](http://c/d)", "<a href=x>",
    "<!-- c -->", "<!DOCTYPE x>", "<?php ?>", "<![CDATA[x]]>", "\n\n", "\n", "> ", "- ", "1. ", "# ", "**", "_", "~~",
    "    ", "\t", "](", "[", "(", ")",
]  # fmt: skip
