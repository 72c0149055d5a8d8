"""What changed in a thread's directory, by whatever means: checkpoints around turns, the diff between two, taking back.

listing = await list_files(root)                   # listing.py: which files count
files = scan(root, listing, before, pack)          # scan.py: how they are, their texts kept
files = under(files, patched, root, before)        # patched.py: how they were before patches that did not wait
changed = compare(before, files, texts)            # compare.py: what is another, as diffs
"""

__all__: list[str] = []
