"""Web sites that list their pages in a sitemap."""
