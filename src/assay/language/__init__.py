"""The language of a page: English is the text in the code, every other one a catalogue in ``locale/``."""
