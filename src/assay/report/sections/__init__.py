"""The sections of the page: a file each, with its charts beside it, and the catalogue of which task has which."""
