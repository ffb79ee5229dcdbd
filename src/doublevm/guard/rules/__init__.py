"""The rules over the syntax tree: a module each, with one function that yields what it finds."""
