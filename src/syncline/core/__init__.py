"""The domain: words, values, contracts and errors. Standard library and Pydantic only."""
