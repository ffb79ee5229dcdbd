"""Scores a program before it runs: how suspicious does what it does with tools look?

``features`` reads a syntax tree, ``rules`` look at the features, ``grade`` adds up. All of it is
guessing from names and from the text: a low score says that nothing was noticed.
"""
