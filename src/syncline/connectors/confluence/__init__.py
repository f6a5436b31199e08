"""Confluence Data Center: the pages, blog posts, comments and attachments of its spaces."""
