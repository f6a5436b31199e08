"""Canvas LMS: courses."""
