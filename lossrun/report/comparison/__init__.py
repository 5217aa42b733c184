"""Show a comparison as text, JSON, CSV, Markdown, or LaTeX."""
