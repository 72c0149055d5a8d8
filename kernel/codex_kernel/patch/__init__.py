"""The patch format: parse, match, verify in memory, write. Also the diff of everything a turn changed.

patch = parse_patch(text)           # parse.py
verified = verify(patch, cwd)       # verify.py: the whole patch against the disk, nothing written
applied = apply(verified)           # apply.py: one atomic write per file
"""

__all__: list[str] = []
