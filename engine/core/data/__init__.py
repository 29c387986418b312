"""Images: sources (what is there) -> pack (one mapped file) -> splits -> views (what a network sees) -> loader."""
