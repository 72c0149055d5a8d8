"""A thread as a file for other people: Markdown, one HTML file, a notebook, or its lines; secrets taken out."""
