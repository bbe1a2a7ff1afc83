"""The answer in sentences: the verdict, what must be known beside it, and its small print."""
