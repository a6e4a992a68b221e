"""SVG pictures of traces."""
