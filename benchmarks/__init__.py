"""What we measure of ourselves; `make bench`. The figures and how to read them are in README.md."""
