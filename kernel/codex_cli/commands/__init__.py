"""What `codex` takes, as tables by subject; `root.py` joins them."""
